#!/bin/sh
# Installs what the commands of the Makefile need beside the Swift toolchain, with the system's package manager, and only what
# is missing: git for the packages, SQLite's headers for the server's database, and Python with pip for the small default model.
set -eu
command -v "${SWIFT:-swift}" >/dev/null 2>&1 || {
  echo "No Swift toolchain found. Install Swift 6.2 or later: https://www.swift.org/install" >&2
  exit 1
}
missing=""
command -v git >/dev/null 2>&1 || missing="$missing git"
if ! command -v python3 >/dev/null 2>&1; then
  missing="$missing python3 python3-pip"
elif ! python3 -m pip --version >/dev/null 2>&1; then
  missing="$missing python3-pip"
fi
# On a Mac they are the system's.
if [ "$(uname)" = Linux ] && ! [ -e /usr/include/sqlite3.h ]; then
  if command -v apt-get >/dev/null 2>&1; then missing="$missing libsqlite3-dev"; else missing="$missing sqlite-devel"; fi
fi
[ -n "$missing" ] || exit 0
root=""
[ "$(id -u)" = 0 ] || root=sudo
echo "Installing:$missing" >&2
# shellcheck disable=SC2086
if command -v apt-get >/dev/null 2>&1; then
  # git merely recommends the certificates that its fetches need.
  $root apt-get update -q
  $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends ca-certificates $missing
elif command -v dnf >/dev/null 2>&1; then
  $root dnf install -y $missing
elif command -v brew >/dev/null 2>&1; then
  brew install $(echo "$missing" | sed 's/ python3-pip//; s/^$/ python3/')
else
  echo "Install these and try again:$missing" >&2
  exit 1
fi
