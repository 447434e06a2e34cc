# start.rb: how a script begins and ends.

module Polyvoke
  SCRIPT = "/script"
  DATA, SOFTWARE = 65, 70

  class << self
    # Runs the script, or checks its syntax if that is all there is to do.
    def start
      entry = File.read("#{SCRIPT}/.polyvoke/entry").chomp
      finish(check(entry)) if File.exist?("#{SCRIPT}/.polyvoke/check")
      path = "#{SCRIPT}/#{entry}"
      $LOAD_PATH.unshift(File.dirname(path))
      $PROGRAM_NAME = path
      load(path)
      finish(0)
    rescue SystemExit => e
      finish(e.status)
    rescue Exception => e
      report(e)
      finish(SOFTWARE)
    end

    # ARGV stands for the arguments, which are fetched when the script asks for them: before that, a process is the
    # same whatever they are.
    def arguments
      require "js"
      JS.eval("").to_s.dup.force_encoding(Encoding::UTF_8).split("\0", -1)[1..-2] || []
    end

    def at_exit(block)
      @blocks.push(block)
      block
    end

    private

    def report(error)
      $stdout.flush
      # Without how the script was loaded.
      calls = (error.backtrace || []).take_while { |call| !call.start_with?(__FILE__) }
      error.set_backtrace(calls)
      # The whole message of a syntax error would have suggestions, which are not to be had here.
      text = error.is_a?(SyntaxError) ? "#{[error.message.chomp, *calls].join("\n\tfrom ")}\n" : error.full_message(highlight: false, order: :top)
      $stderr.write(text)
    end

    # Does what is left for the end, and ends the process.
    def finish(status)
      while (block = @blocks.pop)
        begin
          block.call
        rescue SystemExit => e
          status = e.status
        rescue Exception => e
          report(e)
          status = SOFTWARE
        end
      end
      $stdout.flush
      $stderr.flush
      Process.exit!(status)
    end

    # Checks the entry and then the other files; returns the exit code.
    def check(entry)
      require "prism"
      others = Dir.glob("**/*.rb", base: SCRIPT).sort
      errors = [entry, *others].uniq.flat_map { |name| errors_in(name) }
      errors.each { |e| warn e }
      errors.empty? ? 0 : DATA
    end

    def errors_in(name)
      Prism.parse(File.binread("#{SCRIPT}/#{name}")).errors.map do |e|
        "#{name}:#{e.location.start_line}:#{e.location.start_column + 1}: #{e.message}"
      end
    end
  end

  @blocks = []
end

Object.send(:remove_const, :ARGV)

class Object
  def self.const_missing(name)
    return super unless name == :ARGV
    Object.const_set(:ARGV, Polyvoke.arguments)
  end
end

module Kernel
  def at_exit(&block) = Polyvoke.at_exit(block)
end

Polyvoke.start
