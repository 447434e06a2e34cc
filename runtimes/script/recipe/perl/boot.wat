;; boot.wat: stands between Perl and WASI. Until the interpreter opens its first file, its clock stands still and its
;; random bytes are always the same: it only makes seeds of hash tables from them, and $^T. So all processes start in
;; the same way, and may go on from where one has started; what the script asks for is answered by WASI.
;; build.sh renames wasi_snapshot_preview0: it is WASI itself.
(module
  (import "perl" "memory" (memory 0))
  (import "wasi_snapshot_preview0" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview0" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview0" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (global $up (mut i32) (i32.const 0))

  (func (export "random_get") (param $bytes i32) (param $size i32) (result i32)
    (if (global.get $up)
      (then (return (call $random_get (local.get $bytes) (local.get $size)))))
    (memory.fill (local.get $bytes) (i32.const 20) (local.get $size))
    (i32.const 0))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (if (global.get $up)
      (then (return (call $clock_time_get (local.get $clock) (local.get $precision) (local.get $time)))))
    (i64.store (local.get $time) (i64.const 1_000_000_000))
    (i32.const 0))

  (func (export "path_open")
    (param $folder i32) (param $follow i32) (param $path i32) (param $size i32) (param $how i32)
    (param $rights i64) (param $inherited i64) (param $flags i32) (param $fd i32) (result i32)
    (global.set $up (i32.const 1))
    (call $path_open (local.get $folder) (local.get $follow) (local.get $path) (local.get $size) (local.get $how)
      (local.get $rights) (local.get $inherited) (local.get $flags) (local.get $fd))))
