#!/bin/sh
# tools.sh DIR [languages]: installs the tool chains of the samples on Debian 12. Compilers that Debian has come by
# apt-get (as root), at the version of the release; AssemblyScript and Zig, which it has not, come by npm
# and pip into DIR, at the versions below. What is there already is left alone.
# `languages` adds what `make languages` builds with.
set -eu
assemblyscript=0.28.20
zig=0.17.1

mkdir -p "$1"
cd "$1"

installed() {
  dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# apt PACKAGE...: installs those that are missing.
apt() {
  missing=
  for package; do
    installed "$package" || missing="$missing $package"
  done
  if [ -z "$missing" ]; then return; fi
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be missing, or too old to name files that are still there: then update and try again.
  apt-get install -y -qq --no-install-recommends $missing >apt.log 2>&1 && return
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing >apt.log 2>&1 || {
    cat apt.log >&2
    echo "samples: cannot install$missing; this needs Debian 12 and root" >&2
    exit 1
  }
}

apt clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 # C, and below Nim and SQLite
apt libc++-14-dev-wasm32 libc++abi-14-dev-wasm32        # C++
apt rustc libstd-rust-dev-wasm32                        # Rust
apt nim                                                 # Nim
apt ldc                                                 # D
apt make gcc libc6-dev dpkg-dev tcl                     # the source of SQLite
if [ "${2:-}" = languages ]; then
  apt maven openjdk-17-jdk-headless # Java, Kotlin, Scala; OCaml's script installs its own
fi

if [ "$(cat assemblyscript/version 2>/dev/null)" != "$assemblyscript" ]; then
  command -v npm >/dev/null || apt npm
  rm -rf assemblyscript
  mkdir assemblyscript
  npm install --prefix assemblyscript --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --no-update-notifier \
    --loglevel=error "assemblyscript@$assemblyscript" >/dev/null
  echo "$assemblyscript" >assemblyscript/version
fi

if [ "$(cat zig/version 2>/dev/null)" != "$zig" ]; then
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt python3-venv
  rm -rf zig
  python3 -m venv zig
  zig/bin/pip install -q --disable-pip-version-check --no-deps "ziglang==$zig"
  ln -sf "$(zig/bin/python -c 'import ziglang, os; print(os.path.dirname(ziglang.__file__))')/zig" zig/bin/zig
  echo "$zig" >zig/version
fi
