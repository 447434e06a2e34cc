#!/bin/sh
# build.sh [OUT]: builds validate.ts in the way of greet/as/build.sh, which says what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../greet/as/build.sh" "${1:-$here/validate.wasm}" "$here/validate.ts"
