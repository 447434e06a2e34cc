// Counter: a name on stdin becomes the number of times that it was sent. The number is the key of that name in the
// bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code 65.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const (
	failed  = 1
	badData = 65
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(failed, err)
	}
	name := strings.TrimSuffix(string(body), "\n")
	if !nameForm.MatchString(name) {
		fail(badData, errors.New("bad input: want a name of 1 to 64 letters, digits, - and _"))
	}
	n, err := count("/kv/counters/" + name)
	if err != nil {
		fail(failed, err)
	}
	fmt.Println(n)
}

// count adds 1 to the number in a file, and returns it. What is missing counts from 0.
func count(path string) (n int, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	n++
	return n, os.WriteFile(path, []byte(strconv.Itoa(n)), 0o600)
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}
