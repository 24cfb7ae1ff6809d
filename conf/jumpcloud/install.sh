#!/usr/bin/env bash
# JumpCloud Command (Linux, run as root): installs devtrust, or replaces it by another version.
# $1 or DEVTRUST_PACKAGE: the path of a .deb, its https:// URL, or a package's name in apt's sources (default: devtrust).
# $2 or DEVTRUST_SHA256: the file's SHA-256; where it is given, another file is not installed.
# One line of output. Exit codes: 0 installed, 1 not.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
package=${1:-${DEVTRUST_PACKAGE:-devtrust}} sha256=${2:-${DEVTRUST_SHA256:-}}

fail() {
  printf 'devtrust: not installed: %s\n' "$*"
  exit 1
}

((EUID == 0)) || fail "this has to run as root"
command -v apt-get >/dev/null || fail "there is no apt-get: this is for Debian and Ubuntu"
folder=$(mktemp -d /tmp/devtrust-install-XXXXXX)
trap 'rm -rf -- "$folder"' EXIT
chmod 755 "$folder" # apt reads it as a user of its own
case $package in
  https://*)
    command -v curl >/dev/null || fail "there is no curl to fetch $package: apt-get install curl"
    curl -fsSL --proto =https --retry 3 --max-time 300 -o "$folder/devtrust.deb" "$package" 2>"$folder/log" ||
      fail "$package cannot be fetched: $(tail -n 1 "$folder/log")"
    ;;
  *://*) fail "$package is not fetched, since only https:// keeps it from being changed on its way" ;;
  */* | *.deb)
    [[ -r $package ]] || fail "there is no file $package"
    cp -- "$package" "$folder/devtrust.deb"
    ;;
esac
if [[ -e $folder/devtrust.deb ]]; then
  package=$folder/devtrust.deb
  chmod 644 "$package"
  if [[ -n $sha256 && $(sha256sum "$package" | cut -d ' ' -f 1) != "${sha256,,}" ]]; then
    fail "the file is not the one whose SHA-256 is $sha256"
  fi
elif [[ -n $sha256 ]]; then
  fail "a SHA-256 is for a file, and $package is a name: apt checks it by itself"
fi
# Another apt may be at work on a machine that is managed: wait for it.
apt-get install -y -q --no-install-recommends --allow-downgrades -o DPkg::Lock::Timeout=90 "$package" </dev/null >"$folder/log" 2>&1 ||
  fail "$(grep -E '^(E|dpkg: error)' "$folder/log" | tail -n 1 || true)"
version=$(devtrust --version 2>&1) || fail "apt-get installed it, and it does not start: $version"
printf '%s: installed\n' "$version"
