// Answers {"name": ..., "numbers": [...]} with a greeting and a sum.
package main

import (
	"encoding/json"
	"io"
	"os"
)

type request struct {
	Name    string `json:"name"`
	Numbers []int  `json:"numbers"`
}

type reply struct {
	Greeting string `json:"greeting"`
	Sum      int    `json:"sum"`
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	var q request
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	r := reply{Greeting: "Hello, " + q.Name + "!"}
	for _, n := range q.Numbers {
		r.Sum += n
	}
	out, _ := json.Marshal(r)
	if err == nil {
		_, err = os.Stdout.Write(out)
	}
	if err != nil {
		os.Exit(65)
	}
}
