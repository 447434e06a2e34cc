// Package native reaches what the engine knows of a call and does not offer: its stack, and where it was last.
//
// In goes an exported function of an instance; out come points of a call to which a guest can be taken back again and
// again, the size of a native stack, and a way to end a call without a stack trace. All of it is read by reflection,
// in private.go alone. A test fails if a new version of the engine has other names for it; then nothing can be
// reached, which every function has a result for. README.md says what is lost then, and how to update the engine.
package native
