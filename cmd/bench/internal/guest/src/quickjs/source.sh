#!/bin/sh
# Fetches Debian 13's source package of QuickJS into the folder quickjs. apt runs with a configuration of its
# own, below apt: the system's lists stay as they are. It takes the Debian mirror that the system uses.
set -eu
mkdir -p apt/etc/apt.conf.d apt/etc/preferences.d apt/lists/partial apt/cache/archives/partial
: >apt/status
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | sort -u | head -n 1)
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >apt/etc/sources.list
cat >apt/apt.conf <<X
Dir::Etc "$PWD/apt/etc";
Dir::State "$PWD/apt";
Dir::State::lists "$PWD/apt/lists";
Dir::State::status "$PWD/apt/status";
Dir::Cache "$PWD/apt/cache";
APT::Sandbox::User "root";
X
export APT_CONFIG="$PWD/apt/apt.conf"
apt-get update -qq
rm -rf quickjs source
mkdir source
(cd source && apt-get source -qq quickjs >../source.log 2>&1)
mv source/quickjs-* quickjs
rm -rf source apt
