package report

import (
	"fmt"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
	"os"
	"time"
)

const Page = "benchmarks.md"

type Data struct {
	Results *suite.Results
	Machine string
	Quick   bool
	Took    time.Duration
}

func ThisMachine() string { return "" }
func Write(dir string, d Data) error {
	for _, c := range d.Results.Cells {
		fmt.Fprintf(os.Stdout, "%v n=%d cpu=%.2f p50=%.1f p99=%.1f allocs=%.1f rate=%.0f %s\n", c.Key, len(c.Series), c.Series.CPU(), c.Series.Latency(.5), c.Series.Latency(.99), c.Series.Allocs(), c.Series.Rate(), c.Absent)
	}
	for k, v := range d.Results.Sites {
		fmt.Println(k)
		for _, s := range v {
			fmt.Println(s)
		}
	}
	return nil
}
