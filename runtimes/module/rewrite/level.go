package rewrite

// The levels of optimization.
const (
	Safe  = iota // only what a sandbox needs
	Cheap        // what takes little time beside the compiler of the engine
	All          // all that there is, which is what the zero Options ask for
)

// Optimize sets which passes that only make code faster are left out, for one of the levels. Every such pass has its
// row here. What makes a module safe, or possible to run at all, is done at each level.
func (o *Options) Optimize(level int) {
	o.KeepDispatch = level < Cheap
	o.KeepAddresses = level < Cheap
}
