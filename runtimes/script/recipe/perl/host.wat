;; host.wat: what the npm build of Perl imports from its JavaScript host. Nothing registers a function there.
(module
  (func (export "call_host_function") (param i32 i32 i32) (result i32)
    unreachable))
