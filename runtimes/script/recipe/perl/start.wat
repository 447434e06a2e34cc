;; start.wat: makes a command of the npm build of Perl, which is made for a JavaScript host: its entry hands the
;; process's arguments to the interpreter, as the program perl would.
(module
  (import "perl" "memory" (memory 0))
  (import "perl" "_initialize" (func $initialize))
  (import "perl" "malloc" (func $malloc (param i32) (result i32)))
  (import "perl" "zeroperl_init_with_args" (func $perl (param $argc i32) (param $argv i32) (result i32)))
  (import "perl" "zeroperl_flush" (func $flush (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))

  (func (export "_start") (local $sizes i32) (local $argv i32) (local $code i32)
    (call $initialize)
    (local.set $sizes (call $malloc (i32.const 8)))
    (drop (call $sizes (local.get $sizes) (i32.add (local.get $sizes) (i32.const 4))))
    (local.set $argv (call $malloc (i32.mul (i32.add (i32.load (local.get $sizes)) (i32.const 1)) (i32.const 4))))
    (i32.store
      (i32.add (local.get $argv) (i32.mul (i32.load (local.get $sizes)) (i32.const 4)))
      (i32.const 0))
    (drop (call $args (local.get $argv) (call $malloc (i32.load offset=4 (local.get $sizes)))))
    (local.set $code (call $perl (i32.load (local.get $sizes)) (local.get $argv)))
    (drop (call $flush))
    (call $exit (local.get $code))))
