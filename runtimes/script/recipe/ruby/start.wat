;; start.wat: makes a command of the npm build of Ruby, which is made for a JavaScript host: its entry starts the
;; interpreter as `ruby -EUTF-8 -e _=0` would, and has it load /runtime/start.rb.
(module
  (import "ruby" "memory" (memory 0))
  (import "ruby" "_initialize" (func $initialize))
  (import "ruby" "cabi_realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
  (import "ruby" "ruby-init: func(args: list<string>) -> ()" (func $ruby (param i32 i32)))
  (import "ruby" "ruby-init-loadpath: func() -> ()" (func $path))
  (import "ruby" "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>"
    (func $eval (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "polyvoke_up" (func $up))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (data $text "ruby\00-EUTF-8\00-e_=0\00load '/runtime/start.rb'")

  ;; text copies a part of the text above to memory of the interpreter, which frees it.
  (func $text (param $from i32) (param $size i32) (result i32) (local $p i32)
    (local.set $p (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $size)))
    (memory.init $text (local.get $p) (local.get $from) (local.get $size))
    (local.get $p))

  (func (export "_start") (local $list i32)
    (call $initialize)
    (local.set $list (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 24)))
    (i32.store (local.get $list) (call $text (i32.const 0) (i32.const 5)))
    (i32.store offset=4 (local.get $list) (i32.const 5))
    (i32.store offset=8 (local.get $list) (call $text (i32.const 5) (i32.const 8)))
    (i32.store offset=12 (local.get $list) (i32.const 8))
    (i32.store offset=16 (local.get $list) (call $text (i32.const 13) (i32.const 6)))
    (i32.store offset=20 (local.get $list) (i32.const 6))
    (call $ruby (local.get $list) (i32.const 3))
    (call $path)
    (call $up)
    (drop (call $eval (call $text (i32.const 19) (i32.const 24)) (i32.const 24)))
    (call $exit (i32.const 70)))) ;; start.rb ends the process itself
