# What scripts have of IO.

class IO
  include Enumerable

  def initialize(fd)
    @fd = fd
    @ahead = ""
    @ended = false
  end

  def read(size = nil)
    parts = [@ahead]
    length = @ahead.bytesize
    while !@ended && (size.nil? || length < size)
      part = Host.read
      @ended = part.nil?
      next if @ended
      parts << part
      length += part.bytesize
    end
    all = parts.join
    @ahead = size ? all.byteslice(size, all.bytesize) || "" : ""
    return all unless size
    all.empty? && size > 0 ? nil : all.byteslice(0, size)
  end

  def gets
    until (at = @ahead.byteindex("\n")) || @ended
      part = Host.read
      part ? @ahead += part : @ended = true
    end
    line = @ahead.byteslice(0, at ? at + 1 : @ahead.bytesize)
    @ahead = @ahead.byteslice(line.bytesize, @ahead.bytesize) || ""
    line.empty? ? nil : line
  end

  def each_line
    while (line = gets)
      yield line
    end
    self
  end
  alias each each_line

  def readlines
    to_a
  end

  def write(*all)
    all.each { |x| Host.write(@fd, x.to_s) }
    all.map { |x| x.to_s.bytesize }.sum
  end

  def print(*all)
    write(*all)
    nil
  end

  def <<(x)
    write(x)
    self
  end

  def puts(*all)
    write("\n") if all.empty?
    all.flatten.each do |x|
      s = x.to_s
      write(s)
      write("\n") unless s.end_with?("\n")
    end
    nil
  end

  def printf(*all)
    write(format(*all))
    nil
  end

  def flush
    Host.flush
    self
  end

  def sync=(sync)
    sync
  end
end

class File
  def self.read(path)
    Host.file(path)
  end
end

STDIN = $stdin = IO.new(0)
STDOUT = $stdout = IO.new(1)
STDERR = $stderr = IO.new(2)

module Kernel
  def gets
    $stdin.gets
  end

  def puts(*all)
    $stdout.puts(*all)
  end

  def print(*all)
    $stdout.print(*all)
  end

  def printf(*all)
    $stdout.printf(*all)
  end

  def p(*all)
    all.each { |x| $stdout.puts(x.inspect) }
    all.size > 1 ? all : all[0]
  end

  def warn(*all)
    $stderr.puts(*all)
  end

  def abort(message)
    $stderr.puts(message)
    exit 1
  end
end

# The arguments and the environment differ from call to call: they are asked for when a script names them.
class Object
  def self.const_missing(name)
    case name
    when :ARGV then Object.const_set(:ARGV, Host.arguments)
    when :ENV then Object.const_set(:ENV, Host.environment)
    else raise NameError.new("uninitialized constant #{name}", name)
    end
  end
end
