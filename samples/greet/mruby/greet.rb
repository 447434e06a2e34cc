# greet, in Ruby as mruby has it: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
# stdout and one log line on stderr; a bad request is exit code 65.

class BadInput < StandardError; end

# Reader checks a JSON object (RFC 8259) and finds its member "name". Positions are counted in bytes.
class Reader
  MAX_DEPTH = 100
  QUOTE, COMMA, MINUS, COLON, BACKSLASH = '",-:\\'.bytes
  SHORT = { "\"" => "\"", "\\" => "\\", "/" => "/", "b" => "\b", "f" => "\f", "n" => "\n", "r" => "\r", "t" => "\t" }
  CONTROL = (0...32).map(&:chr).join

  attr_reader :name # nil if the last one is no string

  def initialize(text)
    raise BadInput, "not UTF-8" unless text.valid_encoding?
    @text = text
    @at = 0
  end

  def read
    raise BadInput, "not a JSON object" unless peek == 0x7B
    object(1, true)
    raise BadInput, "more than one JSON value" if peek
    raise BadInput, "no string member \"name\"" unless @name
    @name
  end

  private

  # peek passes over white space and returns the byte behind it, nil at the end.
  def peek
    while (c = @text.getbyte(@at)) == 0x20 || c == 0x0A || c == 0x0D || c == 0x09
      @at += 1
    end
    c
  end

  def take(byte)
    return false unless peek == byte
    @at += 1
    true
  end

  def expect(byte)
    raise BadInput, "not JSON" unless take(byte)
  end

  def value(depth)
    case peek
    when QUOTE then string
    when 0x5B then array(depth)
    when 0x7B then object(depth, false)
    when 0x74 then word("true")
    when 0x66 then word("false")
    when 0x6E then word("null")
    else number
    end
  end

  def word(text)
    raise BadInput, "not JSON" unless @text.byteslice(@at, text.bytesize) == text
    @at += text.bytesize
  end

  def number
    @at += 1 if @text.getbyte(@at) == MINUS
    @text.getbyte(@at) == 0x30 ? @at += 1 : digits
    if @text.getbyte(@at) == 0x2E
      @at += 1
      digits
    end
    return unless [0x45, 0x65].include?(@text.getbyte(@at))
    @at += 1
    @at += 1 if [0x2B, MINUS].include?(@text.getbyte(@at))
    digits
  end

  def digits
    first = @at
    @at += 1 while (c = @text.getbyte(@at)) && c >= 0x30 && c <= 0x39
    raise BadInput, "bad number" if @at == first
  end

  def array(depth)
    raise BadInput, "nested too deep" if depth > MAX_DEPTH
    @at += 1
    return if take(0x5D)
    value(depth + 1)
    value(depth + 1) while take(COMMA)
    expect(0x5D)
  end

  # object reads an object; that of the request has the name.
  def object(depth, request)
    raise BadInput, "nested too deep" if depth > MAX_DEPTH
    @at += 1
    return if take(0x7D)
    loop do
      key = string
      expect(COLON)
      text = peek == QUOTE ? string : value(depth + 1) && nil
      @name = text if request && key == "name"
      break unless take(COMMA)
    end
    expect(0x7D)
  end

  # string reads a string and returns it decoded.
  def string
    expect(QUOTE)
    first = last = @at
    loop do
      last = @text.byteindex("\"", last) or raise BadInput, "unfinished string"
      before = last
      before -= 1 while @text.getbyte(before - 1) == BACKSLASH
      break if (last - before) % 2 == 0
      last += 1
    end
    raw = @text.byteslice(first, last - first)
    @at = last + 1
    raise BadInput, "control character in a string" if raw.count(CONTROL) > 0
    raw.include?("\\") ? decode(raw) : raw
  end

  # decode joins the parts of a string between its backslashes.
  def decode(raw)
    first, *parts = raw.split("\\", -1)
    text = [first]
    until parts.empty?
      part = parts.shift
      if part.empty? # an escaped backslash
        text << "\\" << parts.shift
      elsif part.getbyte(0) == 0x75
        text << unicode(part, parts)
      else
        text << (SHORT[part[0]] or raise BadInput, "bad escape") << part.byteslice(1, part.bytesize)
      end
    end
    text.join
  end

  # unicode decodes \uXXXX or a pair of them, and what follows.
  def unicode(part, parts)
    code = unit(part)
    if code >= 0xD800 && code < 0xE000
      low = part.bytesize == 5 && code < 0xDC00 && parts.first && parts.first.getbyte(0) == 0x75 ? unit(part = parts.shift) : 0
      raise BadInput, "lone surrogate" unless low >= 0xDC00 && low < 0xE000
      code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
    end
    [code].pack("U") + part.byteslice(5, part.bytesize).to_s
  end

  def unit(part)
    digits = part.byteslice(1, 4).to_s
    raise BadInput, "bad \\u escape" unless digits.bytesize == 4 && digits.count("0-9a-fA-F") == 4
    digits.to_i(16)
  end
end

ESCAPES = { "\"" => "\\\"", "\\" => "\\\\", "\b" => "\\b", "\f" => "\\f", "\n" => "\\n", "\r" => "\\r", "\t" => "\\t" }
SPECIAL = Reader::CONTROL + "\"\\\\"

# quoted returns text as it stands between the quotes of a JSON string.
def quoted(text)
  return text if text.count(SPECIAL) == 0
  text.each_char.map { |c| ESCAPES[c] || (c < " " ? format("\\u%04x", c.ord) : c) }.join
end

begin
  who = quoted(Reader.new($stdin.read).read)
rescue BadInput => e
  warn "bad input: #{e.message}"
  exit 65
end
warn "greeting #{who}"
puts "{\"greeting\":\"Hello, #{who}!\"}"
