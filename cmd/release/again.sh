#!/usr/bin/env bash
# again.sh DIR PLATFORMS [VERSION]: builds the release that is in DIR once more for some platforms, from a copy of the
# tree in another folder, with an empty build cache, and compares the archives byte for byte.
set -euo pipefail
dir=$1 platforms=$2 version=${3:-}
cd "$(dirname "$0")/../.."

again=$(mktemp -d)
trap 'chmod -R u+w "$again" && rm -rf "$again"' EXIT
mkdir "$again/tree"
tar -c --exclude=./build --exclude=./bin --exclude=node_modules . | tar -x -C "$again/tree"
go -C cmd/release build -o "$again/release" .
GOCACHE=$again/cache "$again/release" -source "$again/tree" -out "$again/out" -runtimes "$again/none" -platforms "$platforms" -version "$version" >/dev/null
for archive in "$again"/out/polyvoke-*.tar.gz "$again"/out/polyvoke-*.zip; do
  [ -e "$archive" ] || continue
  case $archive in *image*) continue ;; esac
  cmp "$archive" "$dir/${archive##*/}"
  echo "same: ${archive##*/}"
done
