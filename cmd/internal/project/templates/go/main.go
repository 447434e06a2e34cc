// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var request struct{ Name string }
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil || request.Name == "" {
		fmt.Fprintln(os.Stderr, `bad input: want {"name":"..."}`)
		os.Exit(65)
	}
	fmt.Fprintln(os.Stderr, "greeting", request.Name)
	json.NewEncoder(os.Stdout).Encode(map[string]string{"greeting": "Hello, " + request.Name + "!"})
}
