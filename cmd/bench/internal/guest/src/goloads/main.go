// Loads that compute; the argument says which. Each prints a number that tells whether it was right.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		os.Exit(64)
	}
	switch os.Args[1] {
	case "fib":
		fmt.Print(fib(32))
	case "sha256":
		b := make([]byte, 8<<20)
		for i := range b {
			b[i] = byte(i)
		}
		sum := sha256.Sum256(b)
		fmt.Printf("%x", sum[:4])
	case "json":
		fmt.Print(records())
	default:
		os.Exit(64)
	}
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

type record struct {
	ID   int      `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// records writes a thousand records as JSON and reads them back, some times.
func records() (sum int) {
	for range 10 {
		list := make([]record, 1000)
		for i := range list {
			list[i] = record{i, fmt.Sprint("record ", i), []string{"a", "b"}}
		}
		text, err := json.Marshal(list)
		var back []record
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil {
			panic(err)
		}
		sum = 0
		for _, r := range back {
			sum += r.ID
		}
	}
	return sum
}
