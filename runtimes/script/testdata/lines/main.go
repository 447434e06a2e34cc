// Lines is an interpreter for tests. A script is lines of a word and the rest: say (to stdout), log (to stderr), read
// (stdin, to stdout in capitals), include (another file), args, env, library, exit, and what means harm: throw, spin, flood (stdout)
// and grow (memory). With the argument compile it is a translator: it makes of each .shout file a .lines file in which SAY is say.
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

func main() {
	if os.Args[0] == "compile" {
		compile()
		return
	}
	entry, err := os.ReadFile("/script/.polyvoke/entry")
	fatal(err)
	name := strings.TrimSpace(string(entry))
	_, err = os.Stat("/script/.polyvoke/check")
	run(name, err == nil)
}

// run runs a file, or looks only whether it knows each word.
func run(name string, check bool) {
	text, err := os.ReadFile("/script/" + name)
	fatal(err)
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if !known(word) {
			fmt.Fprintf(os.Stderr, "/script/%s:%d:1: there is no word %q\n", name, i+1, word)
			os.Exit(65)
		}
		if !check {
			do(word, rest, path.Dir(name))
		}
	}
}

func known(word string) bool {
	switch word {
	case "say", "log", "read", "include", "args", "env", "library", "exit", "throw", "spin", "flood", "grow":
		return true
	}
	return false
}

// do does what a line says.
func do(word, rest, folder string) {
	switch word {
	case "say":
		fmt.Println(rest)
	case "log":
		fmt.Fprintln(os.Stderr, rest)
	case "read":
		b, err := io.ReadAll(os.Stdin)
		fatal(err)
		fmt.Print(strings.ToUpper(string(b)))
	case "include":
		run(path.Join(folder, rest), false)
	case "args":
		fmt.Println(strings.Join(os.Args, ","))
	case "env":
		fmt.Println(strings.Join(os.Environ(), ","))
	case "library":
		b, err := os.ReadFile("/runtime/" + rest)
		fatal(err)
		fmt.Print(string(b))
	case "exit":
		n, _ := strconv.Atoi(rest)
		os.Exit(n)
	case "throw":
		fmt.Fprintln(os.Stderr, "thrown:", rest)
		os.Exit(70)
	default:
		harm(word)
	}
}

// harm goes on until it is ended.
func harm(word string) {
	var all [][]byte
	for {
		switch word {
		case "flood":
			fmt.Print(strings.Repeat("x", 1<<16))
		case "grow":
			all = append(all, make([]byte, 1<<20))
		}
	}
}

// compile translates /script to a zip archive on stdout.
func compile() {
	z := zip.NewWriter(os.Stdout)
	fatal(fs.WalkDir(os.DirFS("/script"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile("/script/" + name)
		fatal(err)
		if strings.Contains(string(b), "WHISPER") {
			fmt.Fprintf(os.Stderr, "/script/%s:1: nobody whispers here\n", name)
			os.Exit(65)
		}
		w, err := z.Create(strings.ReplaceAll(name, ".shout", ".lines"))
		fatal(err)
		_, err = w.Write([]byte(strings.ReplaceAll(strings.ReplaceAll(string(b), "SAY", "say"), ".shout", ".lines")))
		return err
	}))
	fatal(z.Close())
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
