#!/bin/sh
# Installs what the commands of the Makefile need beside the Swift toolchain, with the system's package manager, and only what
# is missing: git for the packages, and Python with pip for the small default model.
set -eu
missing=""
command -v git >/dev/null 2>&1 || missing="$missing git"
command -v python3 >/dev/null 2>&1 || missing="$missing python3"
if command -v python3 >/dev/null 2>&1 && ! python3 -m pip --version >/dev/null 2>&1; then missing="$missing python3-pip"; fi
command -v "${SWIFT:-swift}" >/dev/null 2>&1 || {
  echo "No Swift toolchain found. Install Swift 6.2 or later: https://www.swift.org/install" >&2
  exit 1
}
[ -n "$missing" ] || exit 0
case "$missing" in *python3*) case "$missing" in *pip*) ;; *) missing="$missing python3-pip" ;; esac ;; esac
root=""
[ "$(id -u)" = 0 ] || root=sudo
echo "Installing:$missing" >&2
# shellcheck disable=SC2086
if command -v apt-get >/dev/null 2>&1; then
  $root apt-get update -q && $root apt-get install -y -q $missing
elif command -v dnf >/dev/null 2>&1; then
  $root dnf install -y $missing
elif command -v brew >/dev/null 2>&1; then
  brew install $(echo "$missing" | sed 's/python3-pip/python3/')
else
  echo "Install these and try again:$missing" >&2
  exit 1
fi
