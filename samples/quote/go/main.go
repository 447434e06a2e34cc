// Command quote, in Go: whatever the request is, it is not read. The reply is a random number and a quote.
package main

import (
	"fmt"
	"math/rand/v2"
)

func main() {
	quotes := []string{"Simple is beautiful.", "Measure, then cut.", "Every call is a new process."}
	number := rand.Uint64()
	fmt.Println(number, quotes[number%3])
}
