// Guestbook: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request writes
// nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const (
	folder  = "/kv/guests"
	failed  = 1
	badData = 65
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(failed, err)
	}
	if request := strings.TrimSuffix(string(body), "\n"); request != "" {
		name, text, _ := strings.Cut(request, " ")
		if !nameForm.MatchString(name) || text == "" || len(text) > 200 || strings.ContainsAny(text, "\n\x00") {
			fail(badData, errors.New("bad input: want a name of 1 to 64 letters, digits, - and _, "+
				"and a text of 1 to 200 bytes"))
		}
		if err := os.WriteFile(folder+"/"+name, []byte(text), 0o600); err != nil {
			fail(failed, err)
		}
	}
	guests, err := os.ReadDir(folder) // by name
	if err != nil {
		fail(failed, err)
	}
	for _, guest := range guests {
		text, err := os.ReadFile(folder + "/" + guest.Name())
		if err != nil {
			fail(failed, err)
		}
		fmt.Printf("%s: %s\n", guest.Name(), text)
	}
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}
