#!/bin/sh
# build.sh [OUT]: builds chat.rs in the way of greet/rust/build.sh, which says what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../greet/rust/build.sh" "${1:-$here/chat.wasm}" "$here/chat.rs"
