//go:build runtimes

package samples_test

func sqlite() interpreter {
	return interpreter{
		name: "sql", entry: "it.sql",
		slow: "CREATE TABLE t(n);\nINSERT INTO t SELECT sum(value) FROM generate_series(1, 200000);\n" +
			"SELECT 'done ' || request() || ' ' || random() || ' ' || coalesce(arg(1), 'none') FROM t;",
		draws: "CREATE TABLE t(n);\nINSERT INTO t VALUES (random());\n" +
			"SELECT n || ' ' || substr(request(), 2) || random() FROM t;",
		cases: []scriptCase{
			{about: "bad syntax", text: "SELECT 1;\nSELEKT 2;\n", refused: []string{"it.sql:2:"}},
			{about: "uncaught error", text: "CREATE TABLE t(a NOT NULL);\nINSERT INTO t VALUES (NULL);\n",
				says: []string{"it.sql:2"}, exit: 70},
			{about: "a value", text: "SELECT upper(request());", stdin: "ada", stdout: "ADA\n"},
			{about: "values", text: "SELECT value FROM generate_series(1, 3);", stdout: "1\n2\n3\n"},
			{about: "a blob", text: "SELECT CAST(request() AS BLOB);", stdin: "a\x00\xff", stdout: "a\x00\xff"},
			{about: "objects", text: "SELECT 1 AS a, 'b\"' AS b, NULL AS c, x'ff' AS d;",
				stdout: `{"a":1,"b":"b\"","c":null,"d":"ff"}` + "\n"},
			{about: "arguments", text: "SELECT arg(0) || arg(1) || arg(2), env('WHO'), arg(3) IS NULL AS none;",
				args: []string{"x", "y"}, stdout: `{"arg(0) || arg(1) || arg(2)":"fnxy","env('WHO')":"me","none":1}` + "\n"},
			{about: "an end", text: "SELECT 'a'; SELECT exit(9, 'no more'); SELECT 'b';", stdout: "a\n",
				stderr: "no more\n", exit: 9},
			{about: "files", text: "SELECT readfile('/script/it.sql') = CAST('SELECT' AS BLOB), readfile('/etc/passwd') AS p;",
				stdout: `{"readfile('/script/it.sql') = CAST('SELECT' AS BLOB)":0,"p":null}` + "\n"},
			{about: "regular expressions", text: "SELECT request() REGEXP '^[a-c]+$';", stdin: "abc", stdout: "1\n"},
		},
	}
}

func tcl() interpreter {
	return interpreter{
		name: "tcl", entry: "it.tcl",
		slow: "for {set i 0} {$i < 100000} {incr i} {}\nset body [read stdin]\n" +
			"if {$argc} {set arg [lindex $argv 0]} else {set arg none}\nputs \"done $body [expr {rand()}] $arg\"",
		draws: "set a [expr {rand()}]\nread stdin\nputs \"$a [expr {rand()}]\"",
		cases: []scriptCase{
			{about: "bad syntax", text: "puts 1\nputs {a\n", refused: []string{"it.tcl:2:"}},
			{about: "uncaught error", text: "puts 1\nnothing here\n", says: []string{"it.tcl:2"}, stdout: "1\n", exit: 70},
			{about: "lines", text: "while {[gets stdin line] >= 0} { puts [string toupper $line] }", stdin: "a\n\xc3\xa9",
				stdout: "A\n\xc3\x89\n"},
			{about: "arguments", text: "puts \"$argv0 $argv $argc $env(WHO)\"; proc p {} { puts [lindex $::argv 1] }; p",
				args: []string{"x", "y"}, stdout: "fn x y 2 me\ny\n"},
			{about: "bytes as an argument", text: "puts -nonewline [lindex $argv 0]", args: []string{"\xff"}, stdout: "\xff"},
			{about: "an end", text: "puts -nonewline a; puts stderr b; exit 9", stdout: "a", stderr: "b\n", exit: 9},
			{about: "files",
				text:   "set f [open /script/it.tcl]; puts [string length [read $f]]; close $f; puts [catch {open /etc/passwd}]",
				stdout: "102\n1\n"},
			{about: "a sort that fails", text: "puts [catch {lsort -integer {1 a}} e],$e",
				stdout: "1,expected integer but got \"a\"\n"},
			{about: "deep recursion", text: "proc f {n} { f [incr n] }; puts [catch {f 1} e],$e",
				stdout: "1,Too many nested calls. Infinite recursion?\n"},
		},
	}
}

func awk() interpreter {
	return interpreter{
		name: "awk", entry: "it.awk",
		slow: "BEGIN { for (i = 0; i < 200000; i++) n += i }\n{ srand(); print \"done\", $0, rand(), (ARGC > 1 ? ARGV[1] " +
			": \"none\") }",
		draws: "BEGIN { srand(); a = rand() }\n{ print a, rand() }",
		cases: []scriptCase{
			{about: "bad syntax", text: "BEGIN { x = 1 }\n{ print (1 }\n", refused: []string{"it.awk:2:"}},
			{about: "uncaught error", text: "BEGIN {\n  system(\"ls\")\n}\n", says: []string{"it.awk:2"}, exit: 70},
			{about: "fields", text: "{ n += $2 } END { print n; print NR > \"/dev/stderr\" }", stdin: "a 1\nb 2.5\n",
				stdout: "3.5\n", stderr: "2\n"},
			{about: "arguments", text: "BEGIN { print ARGC, ARGV[0], ARGV[2], ENVIRON[\"WHO\"] } { print }",
				args: []string{"x", "y"}, stdin: "in", stdout: "3 fn y me\nin\n"},
			{about: "bytes as an argument", text: "BEGIN { printf \"%s\", ARGV[1] }", args: []string{"\xff"}, stdout: "\xff"},
			{about: "an end", text: "BEGIN { printf \"a\"; exit 9 }", stdout: "a", exit: 9},
			{about: "files",
				text:   "BEGIN { getline line < \"/script/it.awk\"; print length(line), (getline line < \"/etc/passwd\") }",
				stdout: "93 -1\n"},
			{about: "zero bytes", text: "{ print length($0) }", stdin: "a\x00b\n", stdout: "4\n"},
			{about: "a table", text: "BEGIN { while ((getline line) > 0) n[line]++; for (k in n) print k, n[k] }",
				stdin: "a\na\n", stdout: "a 2\n"},
			{about: "deep recursion", text: "function f(n) { return n ? 1 + f(n - 1) : 0 }\nBEGIN { print f(300); f(1000000) }",
				stdout: "300\n", stderr: "it.awk:1: functions call one another too deep\n", exit: 70},
		},
	}
}

func jq() interpreter {
	return interpreter{
		name: "jq", entry: "it.jq",
		slow: "#!/usr/bin/jq -nrf\nreduce range(2000) as $i (0; . + $i) | input as $body | \"done \\($body) \\(now) " +
			"\\($ARGS.positional[0] // \"none\")\"",
		cases: []scriptCase{
			{about: "bad syntax", text: ".a |\nnothing |\n.b\n", refused: []string{"it.jq:2:"}},
			{about: "uncaught error", text: "#!/usr/bin/jq -n\nerror(\"it fails\")\n", says: []string{"it.jq:"}, exit: 70},
			{about: "a value", text: ".a + 1", stdin: `{"a":2}`, stdout: "3\n"},
			{about: "strings", text: ".", stdin: `"a"`, stdout: "\"a\"\n"},
			{about: "raw strings", text: "#!/usr/bin/jq -rf\n.[]", stdin: `["a","\u0000\n"]`, stdout: "a\n\x00\n\n"},
			{about: "no newlines", text: "#!/usr/bin/jq -jf\n.[]", stdin: `["a",1]`, stdout: "a1"},
			{about: "text", text: "#!/usr/bin/jq -Rf\nlength", stdin: "\xc3\xa9\n", stdout: "2\n"},
			{about: "text that is not UTF-8", text: "#!/usr/bin/jq -Rf\nlength", stdin: "\xff",
				stderr: "bad input: not UTF-8\n", exit: 65},
			{about: "all values", text: "#!/usr/bin/jq -sf\nmap(.a)", stdin: `{"a":1} {"a":2}`, stdout: "[1,2]\n"},
			{about: "values one by one", text: "#!/usr/bin/jq -nf\ninput.a, [inputs]", stdin: `{"a":1} {"a":2} 3`,
				stdout: "1\n[{\"a\":2},3]\n"},
			{about: "an argument that is not UTF-8", text: "$ARGS.positional", args: []string{"x", "\xff"}, stdin: "null",
				stderr: "argument 2 is not UTF-8\n", exit: 64},
			{about: "arguments", text: "[$ARGS.positional[], env.WHO]", args: []string{"x", "y"}, stdin: "null",
				stdout: `["x","y","me"]` + "\n"},
			{about: "regular expressions", text: `[match("[à-ü]+"; "g").string]`, stdin: `"aéèbö"`,
				stdout: `["éè","ö"]` + "\n"},
			{about: "an end", text: `1, ("no more\n" | halt_error(9)), 2`, stdin: "0", stdout: "1\n",
				stderr: "no more\n", exit: 9},
			{about: "bad input", text: ".", stdin: "NaN", stderr: "bad input: not JSON\n", exit: 65},
			{about: "large numbers", text: ".", stdin: "100000000000000000000001", stdout: "100000000000000000000001\n"},
			{about: "deep recursion", text: "def f: 1 + f; f", stdin: "0", stderr: "it.jq: out of memory\n", exit: 70},
		},
	}
}

func mruby() interpreter {
	return interpreter{
		name: "mruby", entry: "it.mrb",
		slow: "100000.times { |i| i }\nputs \"done #{$stdin.read} - #{ARGV[0] || \"none\"}\"",
		cases: []scriptCase{
			{about: "bad syntax", text: "x = 1\nputs )\n", refused: []string{"it.mrb:2:"}},
			{about: "uncaught error", text: "x = 1\nnothing(x)\n", says: []string{"it.mrb:2"}, exit: 70},
			{about: "lines", text: "while (line = gets)\n  puts line.chomp.size\nend", stdin: "abc\n\xc3\xa9", stdout: "3\n1\n"},
			{about: "each line", text: "p $stdin.each_line { |l| print l }.read", stdin: "a\nb", stdout: "a\nb\"\"\n"},
			{about: "some bytes", text: "p $stdin.read(2), $stdin.read, $stdin.read(1)", stdin: "abc",
				stdout: "\"ab\"\n\"c\"\nnil\n"},
			{about: "arguments", text: "p ARGV, ENV[\"WHO\"]", args: []string{"x", "y"}, stdout: "[\"x\", \"y\"]\n\"me\"\n"},
			{about: "an end", text: "print \"a\"; warn \"b\"; exit 9", stdout: "a", stderr: "b\n", exit: 9},
			{about: "files",
				text: "puts File.read(\"/script/it.mrb\").size\n" +
					"begin; File.read(\"/etc/passwd\"); rescue => e; puts \"none\"; end",
				stdout: "100\nnone\n"},
			{about: "deep recursion", text: "def f; f; end\nbegin; f; rescue SystemStackError => e; puts \"deep\"; end",
				stdout: "deep\n"},
		},
	}
}

func scheme() interpreter {
	return interpreter{
		name: "scheme", entry: "it.scm",
		slow: "(define (count n) (if (> n 0) (count (- n 1))))\n(count 1000000)\n" +
			"(define body (get-string-all (current-input-port)))\n(format #t \"done ~a ~a ~a\" body (random 1.0) (if (null? " +
			"(cdr (command-line))) 'none (cadr (command-line))))",
		draws: "(define a (random 1.0))\n(get-string-all (current-input-port))\n(format #t \"~a ~a\" a (random 1.0))",
		cases: []scriptCase{
			{about: "bad syntax", text: "(display 1)\n (display (if))\n",
				refused: []string{"it.scm:2:11: ", "invalid syntax (if)"}},
			{about: "no end", text: "(display 1)\n(display (list 1\n",
				refused: []string{"it.scm:2:10: ", "unexpected end-of-file reading list"}},
			{about: "a name that nothing is bound to", text: "(import (rnrs))\n(display (nothing))\n",
				refused: []string{"it.scm:2:11: ", "nothing"}},
			{about: "no such library", text: "(import (rnrs) (nowhere))\n", refused: []string{"it.scm:1:", "nowhere"}},
			{about: "a macro", text: "(define-syntax twice (syntax-rules () ((_ x) (begin x x))))\n(twice (display \"\u00e9\"))",
				stdout: "\u00e9\u00e9"},
			{about: "a name of its own", text: "(define (assert a b) (list a b))\n(write (assert 1 2))", stdout: "(1 2)"},
			{about: "uncaught error", text: "(define (f x)\n  (+ 1 (car x)))\n(display 1)\n(display (list (f 7)))\n",
				stdout: "1", says: []string{"it.scm:4", "7 is not a pair"}, exit: 70},
			{about: "anything raised", text: "(raise 'no)\n", stderr: "it.scm:1: uncaught: no\n", exit: 70},
			{about: "a caught error",
				text: "(import (rnrs)) (write (guard (e ((message-condition? e) (condition-message e))) " +
					"(error 'f \"it fails\")))",
				stdout: `"it fails"`},
			{about: "lines",
				text: "(let loop ((l (get-line (current-input-port)))) (unless (eof-object? l) (display (string-length l)) " +
					"(newline) (loop (get-line (current-input-port)))))", stdin: "abc\n\u00e9", stdout: "3\n1\n"},
			{about: "an argument that is not UTF-8", text: "(display (command-line))", args: []string{"\xff"},
				stderr: "argument 1 is not UTF-8\n", exit: 64},
			{about: "arguments",
				text: "#!/usr/bin/scheme --script\n(write (command-line)) (write (command-line-arguments)) (write (getenv " +
					"\"WHO\"))", args: []string{"x", "y"}, stdout: `("fn" "x" "y")("x" "y")"me"`},
			{about: "an end", text: "(display \"a\") (display \"b\\n\" (current-error-port)) (exit 9)", stdout: "a",
				stderr: "b\n", exit: 9},
			{about: "files", text: "(write (file-exists? \"/script/it.scm\")) (write (file-exists? \"/etc/passwd\"))",
				stdout: "#t#f"},
			{about: "large numbers", text: "(write (list (expt 7 40) (/ 6 4) (sqrt -4)))",
				stdout: "(6366805760909027985741435139224001 3/2 0+2i)"},
			{about: "a library", text: "(import (rnrs) (my words))\n(display (shout \"ada\"))", stdout: "ADA!",
				files: map[string]string{"my/words.sls": "(library (my words) (export shout) (import (rnrs))\n" +
					"  (define (shout s) (string-append (string-upcase s) \"!\")))\n"}},
			{about: "a library with an error", text: "(import (rnrs) (my))\n(display (f))", refused: []string{"my.sls:2:"},
				files: map[string]string{"my.sls": "(library (my) (export f) (import (rnrs))\n  (define (f) (if)))\n"}},
			{about: "deep recursion", text: "(define (f n) (+ 1 (f n)))\n(f 0)", stderr: "out of memory\n", exit: 70},
			{about: "more memory than there are addresses", text: "(make-vector (expt 2 45))",
				stderr: "out of memory\n", exit: 70},
			{about: "errors of the kernel",
				text:   "(define (f) (guard (e (#t (display \"no \"))) (process \"ls\")))\n(f)\n(f)\n(process \"ls\")",
				stdout: "no no ",
				says:   []string{"it.scm:4: Exception in process"}, exit: 70},
		},
	}
}
