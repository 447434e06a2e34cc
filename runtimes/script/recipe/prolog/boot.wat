;; boot.wat: stands between Prolog and WASI. The interpreter was frozen when it had been initialised, and all it knows of
;; folders is one at descriptor 3, the root. Here that is /request, 4 is /script and 5 is /runtime.
;; build.sh renames wasi_snapshot_preview0: it is WASI itself.
(module
  (import "prolog" "memory" (memory 0))
  (import "wasi_snapshot_preview0" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview0" "path_filestat_get" (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (global $skip (mut i32) (i32.const 0))

  ;; $folder returns the descriptor of the folder that a path of the root begins with, 0 if there is none; $skip is how
  ;; much of the path that is.
  (func $folder (param $path i32) (param $size i32) (result i32)
    (local $word i64)
    (if (i32.lt_u (local.get $size) (i32.const 7)) (then (return (i32.const 0))))
    (local.set $word (i64.and (i64.load align=1 (local.get $path)) (i64.const 0x00ffffffffffffff)))
    (global.set $skip (i32.const 7))
    (if (i64.eq (local.get $word) (i64.const 0x002f747069726373)) (then (return (i32.const 4)))) ;; script/
    (global.set $skip (i32.const 8))
    (if (i64.eq (local.get $word) (i64.const 0x00656d69746e7572)) (then (return (i32.const 5)))) ;; runtime
    (if (i64.eq (local.get $word) (i64.const 0x0074736575716572)) (then (return (i32.const 3)))) ;; request
    (i32.const 0))

  (func (export "path_open")
    (param $folder i32) (param $follow i32) (param $path i32) (param $size i32) (param $how i32)
    (param $rights i64) (param $inherited i64) (param $flags i32) (param $fd i32) (result i32)
    (local.set $folder (call $folder (local.get $path) (local.get $size)))
    (if (i32.eqz (local.get $folder)) (then (return (i32.const 44)))) ;; no such file
    (call $path_open (local.get $folder) (local.get $follow)
      (i32.add (local.get $path) (global.get $skip)) (i32.sub (local.get $size) (global.get $skip)) (local.get $how)
      (local.get $rights) (local.get $inherited) (local.get $flags) (local.get $fd)))

  (func (export "path_filestat_get")
    (param $folder i32) (param $follow i32) (param $path i32) (param $size i32) (param $stat i32) (result i32)
    (local.set $folder (call $folder (local.get $path) (local.get $size)))
    (if (i32.eqz (local.get $folder)) (then (return (i32.const 44))))
    (call $path_filestat_get (local.get $folder) (local.get $follow)
      (i32.add (local.get $path) (global.get $skip)) (i32.sub (local.get $size) (global.get $skip)) (local.get $stat))))
