package demo

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/samples"
)

// Choose returns what to show: the samples, those that take seconds to build only if slow says so, and the greeting
// in the languages of the runtimes that are there.
func Choose(slow bool, runtimes []script.Info) []samples.Sample {
	all := slices.DeleteFunc(samples.All(), func(s samples.Sample) bool { return s.Slow && !slow })
	for _, i := range runtimes {
		if s, ok := samples.ScriptFor(i.Name, i.Language, i.Extensions); ok {
			all = append(all, s)
		}
	}
	return all
}
