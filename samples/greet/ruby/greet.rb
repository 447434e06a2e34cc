# greet, in Ruby: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
# stdout and one log line on stderr; a bad request is exit code 65.

require "json"
require "strscan"

BAD_DATA = 65

class BadInput < StandardError; end

# Reads JSON as RFC 8259 has it. The library json would let comments pass, and half of a surrogate pair.
class Reader
  MAX_DEPTH = 100
  PLAIN = /[^"\\\x00-\x1f]/
  SPECIAL = /(?=["\\\x00-\x1f])/
  SOLID = /(?=[^ \t\r\n])/
  NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/
  PAIR = /\\u([dD][89abAB]\h{2})\\u([dD][c-fC-F]\h{2})/
  UNIT = /\\u(?![dD][89a-fA-F])(\h{4})/
  ESCAPE = %r{\\(["\\/bfnrt])}
  ESCAPED = { "b" => "\b", "f" => "\f", "n" => "\n", "r" => "\r", "t" => "\t" }.freeze

  def initialize(text)
    raise BadInput, "not UTF-8" unless text.valid_encoding?

    @in = StringScanner.new(text)
  end

  def read
    value = value(1)
    space
    raise BadInput, "more than one JSON value" unless @in.eos?

    value
  end

  private

  def space = @in.skip_until(SOLID) || @in.terminate

  # Passes over a mark, and white space in front of it, if it is there.
  def take?(mark)
    space
    @in.skip(mark)
  end

  def expect(mark)
    take?(mark) or raise BadInput, "not JSON at byte #{@in.pos}"
  end

  def value(depth)
    if take?(/\{/) then object(depth)
    elsif take?(/\[/) then array(depth)
    elsif take?(/"/) then string
    elsif @in.skip(/true/) then true
    elsif @in.skip(/false/) then false
    elsif @in.skip(/null/) then nil
    else number
    end
  end

  def object(depth)
    raise BadInput, "nested too deep" if depth > MAX_DEPTH

    members = {}
    return members if take?(/\}/)

    loop do
      expect(/"/)
      name = string
      expect(/:/)
      members[name] = value(depth + 1)
      break unless take?(/,/)
    end
    expect(/\}/)
    members
  end

  def array(depth)
    raise BadInput, "nested too deep" if depth > MAX_DEPTH

    items = []
    return items if take?(/\]/)

    loop do
      items << value(depth + 1)
      break unless take?(/,/)
    end
    expect(/\]/)
    items
  end

  def number
    text = @in.scan(NUMBER) or raise BadInput, "not JSON at byte #{@in.pos}"
    text.to_f
  end

  # Reads what follows the quote that begins a string.
  def string
    text = +""
    until @in.skip(/"/)
      if @in.skip(ESCAPE) then text << (ESCAPED[@in[1]] || @in[1])
      elsif @in.skip(UNIT) then text << @in[1].hex
      elsif @in.skip(PAIR) then text << (0x10000 + ((@in[1].hex - 0xD800) << 10) + @in[2].hex - 0xDC00)
      elsif @in.match?(PLAIN) then text << (@in.scan_until(SPECIAL) or raise BadInput, "unfinished string")
      else raise BadInput, "bad string at byte #{@in.pos}"
      end
    end
    text
  end
end

def read_name(body)
  request = Reader.new(body).read
  raise BadInput, "not a JSON object" unless request.is_a?(Hash)

  name = request["name"]
  raise BadInput, 'no string member "name"' unless name.is_a?(String)

  name
end

begin
  name = read_name($stdin.read.force_encoding(Encoding::UTF_8))
rescue BadInput => e
  warn "bad input: #{e.message}"
  exit BAD_DATA
end
who = JSON.generate(name)[1..-2]
warn "greeting #{who}"
puts %({"greeting":"Hello, #{who}!"})
