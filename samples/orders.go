package samples

import (
	"embed"
	"path"
)

//go:embed orders/*/*.wasm orders/*/polyvoke.toml
var orders embed.FS

// A Step is one of the functions that an order passes through: it takes the message of one subject, and what it makes
// of it is passed on to the next.
type Step struct {
	Name     string // of the function, such as "orders-tax"
	Language string // it is written in, such as "C"
	Manifest []byte // its polyvoke.toml, which names subjects
	Wasm     []byte // its module
}

// The subjects at both ends of the functions of Orders.
const (
	OrdersIn  = "orders.new"  // where orders go in
	OrdersOut = "orders.done" // where receipts come out
)

// Orders returns the five functions that an order passes through, in five languages, from orders.new to orders.done.
// The caller owns all of it.
func Orders() []Step {
	var steps []Step
	for _, s := range []struct{ name, language string }{
		{"validate", "AssemblyScript"}, {"price", "Rust"}, {"tax", "C"}, {"pack", "Zig"}, {"receipt", "Nim"},
	} {
		dir := path.Join("orders", s.name)
		steps = append(steps, Step{Name: "orders-" + s.name, Language: s.language,
			Manifest: read(orders, path.Join(dir, "polyvoke.toml")), Wasm: read(orders, path.Join(dir, s.name+".wasm"))})
	}
	return steps
}

// An Order is an order for the functions of Orders, and its receipt. %s in both is where the order's own name stands,
// of at most 32 letters, digits and hyphens.
type Order struct{ Request, Receipt string }

// OrderExamples returns different orders that are right. The caller owns them.
func OrderExamples() []Order {
	return []Order{
		{`{"order":"%s","item":"tea","count":3,"country":"DE"}`,
			`{"order":"%s","receipt":"3 x tea at 4.50, tax 2.57, total 16.07 EUR, 1 box to DE"}` + "\n"},
		{`{ "country": "AT", "count": 1, "item": "mug", "order": "%s" }`,
			`{"order":"%s","receipt":"1 x mug at 12.50, tax 2.50, total 15.00 EUR, 1 box to AT"}` + "\n"},
		{`{"order":"%s","item":"coffee","count":99,"country":"NL"}`,
			`{"order":"%s","receipt":"99 x coffee at 8.99, tax 186.90, total 1076.91 EUR, 17 boxes to NL"}` + "\n"},
		{`{"order":"%s","item":"cocoa","count":7,"country":"FR"}`,
			`{"order":"%s","receipt":"7 x cocoa at 6.20, tax 8.68, total 52.08 EUR, 2 boxes to FR"}` + "\n"},
	}
}
