// guest is a Go command for wasip1 with a mode for each thing that the tests of package wasi want
// to know from a Go program, whose runtime asks more of WASI than C's does.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	weak "math/rand/v2"
	"os"
	"strings"
	"time"
)

func main() {
	mode := "upper"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	if err := run(mode); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(65)
	}
}

// run does what the mode says.
func run(mode string) error {
	switch mode {
	case "upper":
		b, err := io.ReadAll(os.Stdin)
		fmt.Print(strings.ToUpper(string(b)))
		return err
	case "lines":
		n := 0
		for s := bufio.NewScanner(os.Stdin); s.Scan(); n++ {
		}
		fmt.Println(n)
	case "files":
		return files()
	case "scratch":
		if _, err := io.ReadAll(os.Stdin); err != nil {
			return err
		}
		return scratch(os.Args[2])
	case "draws":
		return draws()
	case "panic":
		var m map[string]int
		m["x"] = 1
	case "sleep":
		time.Sleep(time.Hour)
	case "loop":
		for {
		}
	case "hoard":
		var all [][]byte
		for {
			b := make([]byte, 1<<20)
			b[len(b)-1] = 1
			all = append(all, b)
		}
	case "armed":
		return armed()
	case "random":
		fmt.Println(rand.Text(), time.Now().UnixNano())
	}
	return nil
}

// The times that a program sets when it starts.
var (
	begun          = time.Now()
	soon, giveUp   = context.WithTimeout(context.Background(), 5*time.Minute)
	timer, ticking = time.NewTimer(5 * time.Minute), time.NewTicker(5 * time.Minute)
)

// armed reads stdin, and fails if what was to come 5 minutes after the start has come.
func armed() error {
	defer giveUp()
	b, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	select {
	case <-soon.Done():
		return soon.Err()
	case <-timer.C:
		return errors.New("the timer has come")
	case <-ticking.C:
		return errors.New("the ticker has come")
	default:
	}
	if d := time.Since(begun); d < 0 || d > 5*time.Minute {
		return fmt.Errorf("%v have passed", d)
	}
	fmt.Println(string(b), "in time")
	return nil
}

// files prints what is below /request, and what can be done elsewhere, where it should not be.
func files() error {
	err := fs.WalkDir(os.DirFS("/request"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile("/request/" + path)
		fmt.Printf("%s=%s\n", path, b)
		return err
	})
	for _, path := range []string{"/etc/passwd", "/request/../etc/passwd", "../etc/passwd", "/request/nothing", ".editorconfig"} {
		if _, err := os.Open(path); !errors.Is(err, fs.ErrNotExist) {
			fmt.Println("opened", path, err)
		}
	}
	if f, err := os.Create("/request/new"); err == nil {
		fmt.Println("created", f.Name())
	}
	if _, err := os.OpenFile("/request/id", os.O_WRONLY, 0); err == nil {
		fmt.Println("opened id for writing")
	}
	return err
}

// scratch writes files in a folder, as programs in Go do, and prints what came of it.
func scratch(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	say := func(what string, err error) {
		var path *fs.PathError
		var link *os.LinkError
		switch {
		case errors.As(err, &path):
			err = path.Err
		case errors.As(err, &link):
			err = link.Err
		}
		fmt.Println(what, strings.ToLower(fmt.Sprint(err)))
	}
	say("MkdirAll", os.MkdirAll("d/e/f", 0o700))
	say("MkdirAll again", os.MkdirAll("d/e", 0o700))
	say("WriteFile", os.WriteFile("d/a", []byte("hello"), 0o600))
	say("WriteFile nowhere", os.WriteFile("none/a", []byte("hello"), 0o600))
	f, err := os.OpenFile("d/a", os.O_WRONLY|os.O_APPEND, 0)
	say("append", err)
	_, err = f.WriteString(" world")
	say("WriteString", err)
	say("Sync", f.Sync())
	say("Close", f.Close())
	_, err = os.OpenFile("d/a", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	say("exclusive", err)
	temp, err := os.CreateTemp("d", "temp-*")
	say("CreateTemp", err)
	_, err = temp.WriteAt([]byte("xyz"), 4)
	say("WriteAt", err)
	say("Truncate", temp.Truncate(6))
	at, err := temp.Seek(-2, io.SeekEnd)
	say(fmt.Sprint("Seek ", at), err)
	b, err := io.ReadAll(temp)
	say(fmt.Sprintf("ReadAll %q", b), err)
	say("Chmod", temp.Chmod(0o644))
	say("Rename", os.Rename(temp.Name(), "d/e/renamed"))
	say("Close", temp.Close())
	say("Rename a folder", os.Rename("d/e", "d/E"))
	then := time.Unix(1_000_000_000, 0)
	say("Chtimes", os.Chtimes("d/E/renamed", then, then))
	info, err := os.Stat("d/E/renamed")
	say(fmt.Sprint("Stat ", info.Name(), info.Size(), info.ModTime().Equal(then), info.Mode().IsRegular()), err)
	say("Remove full", os.Remove("d/E"))
	say("WalkDir", fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			fmt.Println(path, err)
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Printf("%s %q\n", path, b)
		return err
	}))
	say("RemoveAll", os.RemoveAll("d"))
	left, err := os.ReadDir(".")
	say(fmt.Sprint(len(left), " left"), err)
	return nil
}

// draws writes what differs from process to process: the order of a map, random numbers of both kinds, the time before
// and after stdin, and which of two goroutines is first. If the body is "fail", it fails.
func draws() error {
	m := map[int]int{}
	for i := range 40 {
		m[i] = i
	}
	fmt.Println(time.Now().UnixNano(), weak.Int64())
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	for k := range m {
		fmt.Print(k, " ")
	}
	strong := make([]byte, 16)
	if _, err := rand.Read(strong); err != nil {
		return err
	}
	first := make(chan string, 2)
	for _, name := range []string{"a", "b"} {
		go func() {
			time.Sleep(time.Duration(weak.IntN(2000)) * time.Microsecond)
			first <- name
		}()
	}
	fmt.Println(len(body), weak.Int64(), fmt.Sprintf("%x", strong), <-first, <-first, time.Now().UnixNano())
	fmt.Fprintln(os.Stderr, time.Now())
	if string(body) == "fail" {
		return errors.New("it was to fail")
	}
	return nil
}
