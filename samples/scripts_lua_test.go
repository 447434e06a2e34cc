//go:build runtimes

package samples_test

func lua() interpreter {
	return interpreter{
		name: "lua", entry: "main.lua",
		slow: "local n = 0 for i = 1, 500000 do n = n + i end local body = io.read('a') print('done', body, math.random(1 " +
			"<< 40), arg[1] or 'none')",
		draws: "local a = math.random(1 << 40)\nio.read()\nprint(a, math.random(1 << 40))",
		cases: []scriptCase{
			{
				about: "lines, arguments and a file",
				text:  `for l in io.lines() do io.write("[", l, "]") end print(#arg, arg[0], ...)`,
				args:  []string{"x", "y"}, stdin: "a\nb", stdout: "[a][b]2\tfn\tx\ty\n",
			},
			{about: "exit code", text: `io.write("out") os.exit(66)`, stdout: "out", exit: 66},
			{about: "uncaught error", text: "io.read()\nlocal function f() error('oops') end\nprint('out')\nf()",
				stdout: "out\n", says: []string{"main.lua:2: oops\nstack traceback:", "main.lua:4: in main chunk"}, exit: 70},
			{about: "an error that is a table", text: "error({})", says: []string{"table", "main.lua:1:"}, exit: 70},
			{about: "bad syntax", text: "local x\nx = = 1", refused: []string{"main.lua:2: unexpected symbol"}},
			{about: "bad syntax in a module", files: map[string]string{"sub/m.lua": "\nlocal = 1"},
				refused: []string{"sub/m.lua:2:"}},
			{
				about: "modules", text: `local m = require("sub.m") print(m.twice(2), require("pack"), pcall(require, "none"))`,
				files: map[string]string{"sub/m.lua": "return {twice = function(x) return 2 * x end}",
					"pack/init.lua": "return 'p'"},
				stdout: "4\tp\tfalse\tmodule 'none' not found:\n\tno field package.preload['none']\n" +
					"\tno file '/script/none.lua'\n\tno file '/script/none/init.lua'\n",
			},
			{about: "deep recursion", text: "local function f() return 1 + f() end\nprint(pcall(f))",
				stdout: "false\tmain.lua:1: stack overflow\n"},
			{about: "deep recursion by way of C", text: "local function f() return (('a'):gsub('a', f)) end\nprint((pcall(f)))",
				stdout: "false\n"},
			{about: "out of memory", text: "io.read()\nlocal t = {}\nwhile true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
				says: []string{"not enough memory"}, exit: 70},
			{about: "garbage is collected", text: "io.read()\nfor i = 1, 200 do local s = ('x'):rep(1e6) .. i end print('done')",
				stdout: "done\n"},
			{about: "what a function cannot do is not there", text: "print(io.popen, os.execute, os.remove, package.loadlib)",
				stdout: "nil\tnil\tnil\tnil\n"},
		},
	}
}

func micropython() interpreter {
	return interpreter{
		name: "micropython", entry: "main.upy",
		slow: "import sys, random\nn = 0\nfor i in range(200000): n += i\nbody = sys.stdin.read()\n" +
			"print('done', body, random.getrandbits(60), (sys.argv + ['none'])[1])",
		draws: "import sys, random\na = random.getrandbits(60)\nsys.stdin.read()\nprint(a, random.getrandbits(60))",
		cases: []scriptCase{
			{
				about: "lines, arguments and a file",
				text: "import sys\nfor l in sys.stdin: print('[' + l.strip() + ']')\n" +
					"print(sys.argv[1:], len(sys.argv), sys.argv[0], open('/request/id').read())",
				args: []string{"x", "y"}, stdin: "a\nb", stdout: "[a]\n[b]\n['x', 'y'] 3 fn 1\n",
			},
			{about: "characters and bytes",
				text: "import sys\nprint(sys.stdin.read(2), sys.stdin.readline(), sys.stdin.buffer.read())", stdin: "éèx\né",
				stdout: "éè x\n b'\\xc3\\xa9'\n"},
			{about: "text that is not UTF-8", text: "import sys\ntry: sys.stdin.read()\nexcept UnicodeError: print('refused')",
				stdin: "\xed\xa0\x80", stdout: "refused\n"},
			{about: "exit code", text: "import sys\nsys.stdout.write('out')\nsys.exit(66)", stdout: "out", exit: 66},
			{about: "exit with a reason", text: "import sys\nsys.exit('why')", says: []string{"why\n"}, exit: 1},
			{about: "uncaught error", text: "def f(): raise ValueError('oops')\nprint('out')\nf()", stdout: "out\n",
				says: []string{"main.upy:1: ValueError: oops\nTraceback", "File \"main.upy\", line 3, in <module>"}, exit: 70},
			{about: "bad syntax", text: "x = 1\nx = = 1", refused: []string{"main.upy:2: SyntaxError"}},
			{about: "bad syntax in a module", files: map[string]string{"sub/m.py": "\nx ="},
				refused: []string{"sub/m.py:2: SyntaxError"}},
			{
				about: "modules", text: "import sub.m, pack\nprint(sub.m.twice(2), pack.p)\nimport none",
				files: map[string]string{"sub/m.py": "def twice(x): return 2 * x", "pack/__init__.py": "from .q import p",
					"pack/q.py": "p = 'p'"},
				stdout: "4 p\n", says: []string{"main.upy:3: ImportError: no module named 'none'"}, exit: 70,
			},
			{about: "deep recursion", text: "def f(): return 1 + f()\ntry: f()\nexcept RuntimeError as e: print(e)",
				stdout: "maximum recursion depth exceeded\n"},
			{about: "out of memory",
				text: "import sys\nsys.stdin.read()\nl = []\ntry:\n  while True: l.append('x' * 1000000 + str(len(l)))\n" +
					"except MemoryError: n = len(l)\nl = None\nprint(n > 40)\nl = []\n" +
					"while True: l.append('x' * 1000000 + str(len(l)))", stdout: "True\n", says: []string{"MemoryError"}, exit: 70},
			{about: "garbage is collected in loops",
				text:   "n = 0\nfor i in range(2000):\n  s = 'x' * 100000 + str(i)\n  n += len(s)\nprint(n > 200000000)",
				stdout: "True\n"},
			{
				about: "garbage is collected below functions in C",
				text: "def make(n):\n  for i in range(n):\n    garbage = ['g' * 50] * 10\n    yield [str(i) * 5, i]\n" +
					"for r in range(5):\n  l = list(map(lambda p: (p[0] + 'x', p[1]), make(3000)))\n" +
					"  assert all(p[0] == str(p[1]) * 5 + 'x' for p in l) and len(l) == 3000\n  d = {p[0]: [p] for p in l}\n" +
					"  assert sorted([v[0][1] * 7919 % 3000 for v in d.values()], key=lambda x: len('g' * 9) + x) == " +
					"list(range(3000))\nimport gc\nprint(gc.mem_alloc() < 4000000)",
				stdout: "True\n",
			},
			{about: "modules that are there",
				text: "import json, re, struct, math, time, hashlib, binascii, collections, io, heapq, os\n" +
					"print(json.loads('[1]'), struct.pack('<H', 1), re.match('a+', 'aab').group(0), " +
					"binascii.hexlify(hashlib.sha256(b'abc').digest())[:8], os.getenv('NONE', 'd'), len(os.urandom(3)))",
				stdout: "[1] b'\\x01\\x00' aa b'ba7816bf' d 3\n"},
		},
	}
}
