#!/bin/sh
# build.sh [OUT]: builds pack.zig in the way of greet/zig/build.sh, which says what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../greet/zig/build.sh" "${1:-$here/pack.wasm}" "$here/pack.zig"
