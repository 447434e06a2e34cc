package guest

// buildRust builds the echo with Debian's Rust 1.63, which its standard library for wasm belongs to.
func buildRust(b *builder, g *Guest) (err error) {
	g.Wasm, err = b.once("echo.wasm", func(out string) error {
		return b.run(nil, "/usr/bin/rustc", "--edition", "2021", "--target", "wasm32-wasi", "-O", "-C", "lto",
			"-C", "panic=abort", "-C", "strip=symbols", "echo.rs", "-o", out)
	}, "echo.rs")
	if err != nil {
		return err
	}
	g.Native, err = b.once("echo", func(out string) error {
		return b.run(nil, "/usr/bin/rustc", "--edition", "2021", "-O", "echo.rs", "-o", out)
	}, "echo.rs")
	return err
}
