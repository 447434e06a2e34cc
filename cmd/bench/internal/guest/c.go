package guest

// buildC builds the echo with Debian's clang 14, and with gcc for this machine.
func buildC(b *builder, g *Guest) (err error) {
	g.Wasm, err = b.once("echo.wasm", func(out string) error {
		if err := b.run(nil, "clang-14", "--target=wasm32-wasi", "-Os", "-c", "echo.c", "-o", "echo.o"); err != nil {
			return err
		}
		return b.run(nil, "clang-14", "--target=wasm32-wasi", "-Wl,-s", "echo.o", "-o", out)
	}, "echo.c")
	if err != nil {
		return err
	}
	native := func(out string) error { return b.run(nil, "gcc", "-O2", "echo.c", "-o", out) }
	g.Native, err = b.once("echo", native, "echo.c")
	return err
}
