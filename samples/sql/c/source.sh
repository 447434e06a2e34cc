#!/bin/sh
# source.sh DIR: fetches Debian's source package of SQLite and makes sqlite3.c and sqlite3.h in DIR.
# apt runs with a configuration of its own, in DIR: the system's lists stay as they are. It takes the
# Debian mirrors that the system uses. Needs dpkg-dev, tcl and a C compiler.
set -eu
mkdir -p "$1"
cd "$1"
dir=$PWD
if [ -f sqlite3.c ] && [ -f sqlite3.h ]; then exit 0; fi

mkdir -p apt/etc/apt.conf.d apt/etc/preferences.d apt/etc/sources.list.d apt/lists/partial apt/cache/archives/partial
: > apt/status
apt-get indextargets --format 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) main' \
  'Created-By: Packages' 'Origin: Debian' | sort -u > apt/etc/sources.list
cat > apt/apt.conf <<X
Dir::Etc "$dir/apt/etc";
Dir::State "$dir/apt";
Dir::State::lists "$dir/apt/lists";
Dir::State::status "$dir/apt/status";
Dir::Cache "$dir/apt/cache";
APT::Sandbox::User "root";
X
export APT_CONFIG="$dir/apt/apt.conf"
apt-get update -qq
rm -rf source
mkdir source
(cd source && apt-get source -qq sqlite3)

mkdir source/build
cd source/build
../sqlite3-*/configure > configure.log 2>&1
make sqlite3.c > make.log 2>&1
mv sqlite3.h "$dir/sqlite3.h"
mv sqlite3.c "$dir/sqlite3.c"
cd "$dir"
rm -rf source apt
