#!/usr/bin/env bash
# macos-commit.sh PREFIX: signs a git commit by the devtrust that is installed there, with an RSA and with an EC key in a
# throwaway keychain, and has git and OpenSSL verify it.
set -euo pipefail
programs=$(cd -- "$1/bin" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
openssl=$(brew --prefix openssl@3)/bin/openssl
work=

clean() {
  if [[ -z $work ]]; then return; fi
  security delete-keychain "$work/device.keychain-db" || true
  rm -rf -- "$work"
  work=
}
trap clean EXIT

for key in rsa ec; do
  work=$(mktemp -d)
  "$here/macos-keychain.sh" "$work" "$key" "$programs/devtrust" "$programs/devtrust-smimesign"
  mkdir "$work/home"
  (
    export HOME=$work/home DEVTRUST_CONFIG=$work/config.toml PATH=$programs:$PATH
    unset XDG_CONFIG_HOME GIT_CONFIG_GLOBAL
    devtrust status
    devtrust setup git
    git init --quiet "$work/repository"
    cd "$work/repository"
    git -c user.name=Alice -c user.email=alice@example.com commit --quiet -S --allow-empty -m "Signed with $key"
    git verify-commit HEAD
    verdict=$(git log -1 --format=%G?)
    if [[ $verdict != G ]]; then
      echo "macos-commit.sh: git's verdict on the commit is $verdict, not G" >&2
      exit 1
    fi
    # The same by another's code: what was signed is the commit without its signature.
    git cat-file commit HEAD | awk -v signature="$work/signature.pem" '
      /^gpgsig / { inside = 1; sub(/^gpgsig /, ""); print >signature; next }
      inside && /^ / { sub(/^ /, ""); print >signature; next }
      { inside = 0; print }' >"$work/content"
    grep -v '^-----' "$work/signature.pem" | "$openssl" base64 -d -out "$work/signature.der"
    "$openssl" cms -verify -binary -inform DER -in "$work/signature.der" -content "$work/content" -CAfile "$work/root.pem" \
      -purpose any -out /dev/null
    devtrust unsetup git
  )
  clean
  echo "A commit signed with the keychain's $key key: good by git and by OpenSSL"
done
