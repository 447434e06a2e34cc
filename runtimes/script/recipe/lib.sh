# lib.sh: what the recipes share. A recipe sources it after it has set TOOLS, the folder where sources and
# compilers are kept. It needs Debian 12 and, where packages are missing, root. Recipes may run at the same time with the same TOOLS.

# alone COMMAND...: runs a function while no other process runs one with the same TOOLS.
alone() {
  if [ -n "${alone_here:-}" ]; then
    "$@"
    return
  fi
  exec 9>"$TOOLS/.lock"
  flock 9
  alone_here=yes
  "$@" # what fails here ends the recipe, and with it the lock, unless the caller looks at the status
  alone_status=$?
  alone_here=
  exec 9>&-
  return $alone_status
}

# apt PACKAGE...: installs those that are missing.
apt() { alone apt_alone "$@"; }
apt_alone() {
  apt_missing=
  for apt_package; do
    dpkg-query -W -f '${db:Status-Status}\n' "$apt_package" 2>/dev/null | grep -qx installed || apt_missing="$apt_missing $apt_package"
  done
  if [ -z "$apt_missing" ]; then return; fi
  # The lists may be missing, or too old to name files that are still there: then update and try again.
  apt_install $apt_missing && return
  apt-get update -qq
  apt_install $apt_missing || {
    cat "$TOOLS/apt.log" >&2
    echo "cannot install$apt_missing; this needs Debian 12 and root" >&2
    return 1
  }
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" >"$TOOLS/apt.log" 2>&1
}

# suite NAME: makes an apt configuration of its own for a Debian suite, such as bookworm-backports or trixie,
# in $TOOLS/suite/NAME; the system's lists stay as they are. It takes the mirror that the system uses, and asks it once a day.
suite() { alone suite_alone "$@"; }
suite_alone() {
  suite_dir=$TOOLS/suite/$1
  if [ -n "$(find "$suite_dir/ready" -mtime -1 2>/dev/null)" ]; then return; fi
  apt dpkg-dev
  mkdir -p "$suite_dir/etc/apt.conf.d" "$suite_dir/etc/preferences.d" "$suite_dir/etc/sources.list.d" \
    "$suite_dir/lists/partial" "$suite_dir/cache/archives/partial"
  : >"$suite_dir/status"
  suite_mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -n 1)
  for suite_kind in deb deb-src; do
    echo "$suite_kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $suite_mirror $1 main"
  done >"$suite_dir/etc/sources.list"
  cat >"$suite_dir/apt.conf" <<X
Dir::Etc "$suite_dir/etc";
Dir::State "$suite_dir";
Dir::State::lists "$suite_dir/lists";
Dir::State::status "$suite_dir/status";
Dir::Cache "$suite_dir/cache";
APT::Sandbox::User "root";
X
  APT_CONFIG=$suite_dir/apt.conf apt-get update -qq
  touch "$suite_dir/ready"
}

# release SUITE PACKAGE=VERSION: says PACKAGE=VERSION, with the newest VERSION that is the same up to its +deb: security releases replace
# one another, and what they replace is gone.
release() {
  release_of=${2#*=}
  release_now=$(APT_CONFIG=$TOOLS/suite/$1/apt.conf apt-cache showsrc "${2%%=*}" 2>/dev/null | sed -n 's/^Version: //p' |
    grep -E "^$(echo "${release_of%%+deb*}" | sed 's/[.+]/\\&/g')(\+deb[0-9]+u[0-9]+)?\$" | sort -V | tail -n 1)
  echo "${2%%=*}=${release_now:-$release_of}"
}

# debian_fetch SUITE PACKAGE=VERSION [OPTION]: gets a source package into $DIR.tmp, in place of what is in $DIR.
debian_fetch() {
  rm -rf "$DIR" "$DIR.tmp"
  mkdir -p "$DIR.tmp"
  (cd "$DIR.tmp" && APT_CONFIG=$TOOLS/suite/$1/apt.conf apt-get source -qq ${3:-} "$2" >"$TOOLS/source.log" 2>&1) || {
    cat "$TOOLS/source.log" >&2
    return 1
  }
}

# debian_source SUITE PACKAGE=VERSION: unpacks a source package, or its newest security release, in $TOOLS/source and sets DIR to its folder.
debian_source() { alone debian_source_alone "$@"; }
debian_source_alone() {
  DIR=$TOOLS/source/${2%%=*}
  suite "$1"
  set -- "$1" "$(release "$1" "$2")"
  if [ -f "$DIR/.version" ] && [ "$(cat "$DIR/.version")" = "$2" ]; then return; fi
  debian_fetch "$1" "$2" || return 1
  mv "$DIR.tmp"/*/ "$DIR"
  rm -rf "$DIR.tmp"
  echo "$2" >"$DIR/.version"
}

# debian_tarball SUITE PACKAGE=VERSION: is debian_source without what Debian changes, for where that is not to be had.
debian_tarball() { alone debian_tarball_alone "$@"; }
debian_tarball_alone() {
  DIR=$TOOLS/source/${2%%=*}
  suite "$1"
  set -- "$1" "$(release "$1" "$2")"
  if [ -f "$DIR/.version" ] && [ "$(cat "$DIR/.version")" = "$2 unchanged" ]; then return; fi
  debian_fetch "$1" "$2" --tar-only || return 1
  mkdir "$DIR"
  tar -xf "$DIR.tmp"/*.orig.tar.* -C "$DIR" --strip-components=1
  rm -rf "$DIR.tmp"
  echo "$2 unchanged" >"$DIR/.version"
}

# debian_unpack SUITE PACKAGE=VERSION: unpacks a binary package in $TOOLS/unpacked, without installing it, and sets DIR to its folder.
debian_unpack() { alone debian_unpack_alone "$@"; }
debian_unpack_alone() {
  DIR=$TOOLS/unpacked/${2%%=*}
  if [ -f "$DIR/.version" ] && [ "$(cat "$DIR/.version")" = "$2" ]; then return; fi
  suite "$1"
  rm -rf "$DIR" "$DIR.tmp"
  mkdir -p "$DIR.tmp"
  (cd "$DIR.tmp" && APT_CONFIG=$TOOLS/suite/$1/apt.conf apt-get download -qq "$2" >"$TOOLS/source.log" 2>&1) || {
    cat "$TOOLS/source.log" >&2
    return 1
  }
  dpkg -x "$DIR.tmp"/*.deb "$DIR"
  rm -rf "$DIR.tmp"
  echo "$2" >"$DIR/.version"
}

# c_compiler: installs Debian's clang 14 for wasm32-wasi.
c_compiler() { apt clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32; }
