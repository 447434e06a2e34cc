//go:build runtimes

package samples_test

func python() interpreter {
	return interpreter{
		name: "python", entry: "a.py",
		slow: "import sys\nbody = sys.stdin.read()\nimport random\n" +
			"print('done', body, random.random(), (sys.argv + ['none'])[1])",
		draws: "import random, sys\na = random.random()\nsys.stdin.read()\nprint(a, random.random())",
		cases: []scriptCase{
			{
				about: "input, arguments, a sibling", entry: "app/main.py",
				text:  "import helper, sys\nprint(helper.twice(sys.stdin.read()), sys.argv[1:])",
				files: map[string]string{"app/helper.py": "def twice(s): return s + s"},
				args:  []string{"a", "b c", ""}, stdin: "x", stdout: "xx ['a', 'b c', '']\n",
			},
			{about: "standard library",
				text: "import zlib, decimal, re, datetime, hashlib, random\n" +
					"print(zlib.decompress(zlib.compress(b'x')), decimal.Decimal('0.1') * 3)", stdout: "b'x' 0.3\n"},
			{about: "exit code", text: "import sys\nprint('x')\nsys.exit(3)", stdout: "x\n", exit: 3},
			{about: "exit with a reason", text: "exit('why')", stderr: "why\n", exit: 1},
			{
				about: "uncaught error", text: "print('x')\ndef f(): 1/0\nf()", stdout: "x\n", exit: 70,
				says: []string{"Traceback ", `File "/script/a.py", line 3, `, `File "/script/a.py", line 2, `,
					"ZeroDivisionError: division by zero\n"},
			},
			{about: "deep recursion", text: "def f(): f()\nf()", says: []string{"Traceback ", "RecursionError: "}, exit: 70},
			{about: "no memory", text: "x = []\nwhile True: x.append(bytearray(1 << 20))",
				says: []string{"Traceback ", "MemoryError"}, exit: 70},
			{about: "bad syntax", text: "x = 1\ny = = 2", files: map[string]string{"b.py": "("},
				refused: []string{"a.py:2:5: invalid syntax\n", "b.py:1:1: '(' was never closed"}},
		},
	}
}

func ruby() interpreter {
	return interpreter{
		name: "ruby", entry: "a.rb",
		slow:  "body = $stdin.read\nputs \"done #{body} #{rand} #{ARGV[0] || 'none'}\"",
		draws: "a = rand\n$stdin.read\nputs \"#{a} #{rand}\"",
		cases: []scriptCase{
			{
				about: "input, arguments, a sibling", entry: "app/main.rb",
				text:  "require_relative 'helper'\nputs twice($stdin.read), ARGV.inspect",
				files: map[string]string{"app/helper.rb": "def twice(s) = s + s"},
				args:  []string{"a", "b c", ""}, stdin: "x", stdout: "xx\n[\"a\", \"b c\", \"\"]\n",
			},
			{about: "standard library", text: "require 'set'\nrequire 'time'\nrequire 'digest'\nputs Digest::MD5.hexdigest('x')",
				stdout: "9dd4e461268c8034f5c8564e155c67a6\n"},
			{about: "exit code", text: "at_exit { puts 'y' }\nputs 'x'\nexit 3", stdout: "x\ny\n", exit: 3},
			{
				about: "uncaught error", text: "puts 'x'\ndef f = raise('why')\nf", stdout: "x\n", exit: 70,
				stderr: "/script/a.rb:2:in 'Object#f': why (RuntimeError)\n\tfrom /script/a.rb:3:in '<top (required)>'\n",
			},
			{about: "deep recursion", text: "def f = f\nf", says: []string{"SystemStackError"}, exit: 70},
			{about: "bad syntax", text: "x = 1\ny = = 2", files: map[string]string{"b.rb": "("},
				refused: []string{"a.rb:2:3: ", "b.rb:1:"}},
		},
	}
}

func perl() interpreter {
	return interpreter{
		name: "perl", entry: "a.pl",
		slow: "my $n = 0; $n += $_ for 1..100000;\nmy $body = join '', <STDIN>;\n" +
			"print \"done $body \", rand, ' ', $ARGV[0] // 'none', \"\\n\"",
		draws: "my $a = rand; my $body = <STDIN>; print \"$a \", rand, \"\\n\"",
		cases: []scriptCase{
			{
				about: "input, arguments, a sibling", entry: "main.pl",
				text:  "use Helper;\nprint Helper::twice(join '', <STDIN>), \" @ARGV\\n\"",
				files: map[string]string{"Helper.pm": "package Helper; sub twice { $_[0] x 2 } 1"},
				args:  []string{"a", "b c"}, stdin: "x", stdout: "xx a b c\n",
			},
			{
				about: "standard library",
				text: "use JSON::PP; use Encode; use List::Util 'sum'; use Storable 'dclone';\n" +
					"print sum(1, 2), encode_json(dclone([1, {a => 'x'}])), \"\\n\"",
				stdout: "3[1,{\"a\":\"x\"}]\n",
			},
			{about: "exit code", text: "print 'x'; exit 3", stdout: "x", exit: 3},
			{about: "uncaught error", text: "print 'x';\nsub f { die 'why' }\n$! = 0; f()", stdout: "x",
				stderr: "why at /script/a.pl line 2.\n", exit: 255},
			{about: "bad syntax", text: "my $x = 1;\nmy $y = = 2;\n", refused: []string{"a.pl:2: syntax error"}},
		},
	}
}
