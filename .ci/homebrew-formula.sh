#!/usr/bin/env bash
# homebrew-formula.sh VERSION TARBALL: packaging/homebrew/devtrust.rb for the release VERSION, on standard output. TARBALL is its
# source, which is to be found under its own name below DEVTRUST_RELEASE_URL.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
version=$1
tarball=$2
base=${DEVTRUST_RELEASE_URL:-https://devtrust.invalid/v$version}

fail() {
  printf 'homebrew-formula.sh: %s\n' "$1" >&2
  exit 1
}

[[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] || fail "this is no version: $version"
grep -q "^project(devtrust VERSION $version " "$top/CMakeLists.txt" || fail "CMakeLists.txt has another version than $version"
[[ $(basename "$tarball") == "devtrust-$version.tar.gz" ]] || fail "Homebrew reads the version from the name: devtrust-$version.tar.gz"
[[ $base =~ ^(https|file)://[A-Za-z0-9./_-]+$ ]] || fail "this is no address: $base"
hash=$(openssl dgst -sha256 -r "$tarball" | cut -d ' ' -f 1)
sed -e '/^# Homebrew.s formula/d' -e "s|^  url \".*\"\$|  url \"$base/devtrust-$version.tar.gz\"|" \
  -e "s|^  sha256 \".*\"\$|  sha256 \"$hash\"|" "$top/packaging/homebrew/devtrust.rb"
