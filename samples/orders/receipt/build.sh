#!/bin/sh
# build.sh [OUT]: builds receipt.nim in the way of greet/nim/build.sh, which says what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../greet/nim/build.sh" "${1:-$here/receipt.wasm}" "$here/receipt.nim"
