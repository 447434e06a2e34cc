;; boot.wat: stands between Prolog and WASI for what realpath needs: no path is a symbolic link.
(module
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 28)))
