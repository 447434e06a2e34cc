#!/bin/sh
# build.sh [OUT [SOURCE]]: builds this folder, or that of SOURCE, with GO (default: go of the PATH), 1.22 or later.
set -eu
source=${2:-$(dirname "$0")/main.go}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$source")"
set -- .
case $("${GO:-go}" env GOMOD) in
'' | /dev/null | NUL) # no module: the files of the folder are the program
	set --
	for file in ./*.go; do
		case $file in *_test.go) ;; *) set -- "$@" "$file" ;; esac
	done
	;;
esac
GOOS=wasip1 GOARCH=wasm "${GO:-go}" build -trimpath -buildvcs=false -ldflags='-s -w' -o "$out" "$@"
