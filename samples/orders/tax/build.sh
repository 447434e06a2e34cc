#!/bin/sh
# build.sh [OUT]: builds tax.c in the way of greet/c/build.sh, which says what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../greet/c/build.sh" "${1:-$here/tax.wasm}" "$here/tax.c"
