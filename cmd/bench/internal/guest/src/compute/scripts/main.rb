# A log is made, taken apart by regular expressions, grouped, sorted and rendered; then a small interpreter runs a program.
# What is printed is a digest of all that.
$seed = 1

def below(n)
  $seed = ($seed * 1103515245 + 12345) & 0x7fffffff
  ($seed >> 8) % n
end

$digest = 1

def mix(text)
  text.each_byte { |b| $digest = (($digest ^ b) * 16777619) & 0xffffffff }
end

methods = %w[GET PUT POST DELETE]
log = (0...10000).map do |i|
  "10.0.#{below(4)}.#{below(250)} - [#{i}] \"#{methods[below(4)]} /fn/#{'abcdefgh'[below(8)]}#{below(40)}?q=#{below(9)}\" " \
    "#{[200, 200, 200, 404, 500][below(5)]} #{below(90000)}"
end.join("\n")

Request = Struct.new(:ip, :at, :method_name, :path, :query, :status, :bytes) do
  def failed? = status.to_i >= 400
end

pattern = /^([\d.]+) - \[(\d+)\] "(\w+) ([^?"]+)\?q=(\d)" (\d+) (\d+)$/
requests = log.scan(pattern).map { |m| Request.new(*m) }
rows = requests.group_by(&:path).map do |path, group|
  { path: path, count: group.size, bytes: group.sum { |r| r.bytes.to_i }, failed: group.count(&:failed?),
    ips: group.map(&:ip).uniq.sort }
end
rows.sort_by! { |r| [-r[:count], r[:path]] }
ESCAPES = { "&" => "&amp;", "<" => "&lt;", ">" => "&gt;" }.freeze
rows.each do |r|
  cells = [r[:path], r[:count], r[:bytes], r[:failed], r[:ips].join("<&>")]
  mix("<tr>" + cells.map { |c| "<td>#{c.to_s.gsub(/[&<>]/, ESCAPES)}</td>" }.join + "</tr>\n")
end

def parse(text)
  tokens = text.scan(/[()]|[^\s()]+/)
  read = lambda do
    t = tokens.shift
    next(t =~ /\A-?\d+\z/ ? t.to_i : t.to_sym) if t != "("
    list = []
    list << read.call while tokens.first != ")"
    tokens.shift
    list
  end
  read.call
end

class Env
  def initialize(names, outer = nil)
    @names, @outer = names, outer
  end

  def [](name) = @names.fetch(name) { @outer[name] }

  def []=(name, value)
    @names[name] = value
  end
end

def evaluate(x, env)
  case x
  when Integer then return x
  when Symbol then return env[x]
  end
  case x[0]
  when :if then return evaluate(evaluate(x[1], env) ? x[2] : x[3], env)
  when :define then return env[x[1]] = evaluate(x[2], env)
  when :lambda then return ->(*args) { evaluate(x[2], Env.new(x[1].zip(args).to_h, env)) }
  end
  f, *args = x.map { |y| evaluate(y, env) }
  f.call(*args)
end

env = Env.new({ :+ => ->(a, b) { a + b }, :- => ->(a, b) { a - b }, :* => ->(a, b) { a * b }, :% => ->(a, b) { a % b },
                :< => ->(a, b) { a < b } })
evaluate(parse("(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"), env)
evaluate(parse("(define loop (lambda (n sum) (if (< n 1) sum (loop (- n 1) (% (+ (* sum 31) n) 10007)))))"), env)
mix(evaluate(parse("(+ (fib 18) (loop 100 1))"), env).to_s)
puts $digest.to_s(16)
