#!/usr/bin/env bash
# macos-commit.sh PREFIX: signs a git commit by the devtrust that is installed there, with an RSA and with an EC key in a
# throwaway keychain, and has git and OpenSSL verify it: once where the signer may use the key itself, and once where the
# keyholder alone may, and the signer comes to it by p11-kit's client.
set -euo pipefail
programs=$(cd -- "$1/bin" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
openssl=$(brew --prefix openssl@3)/bin/openssl
modules=$(brew --prefix p11-kit)/lib/pkcs11
work=
holder=

clean() {
  if [[ -n $holder ]]; then kill "$holder" 2>/dev/null || true; fi
  holder=
  if [[ -z $work ]]; then return; fi
  security delete-keychain "$work/device.keychain-db" || true
  rm -rf -- "$work"
  work=
}
trap clean EXIT

# Sets `config`, which leads to it.
start_keyholder() {
  local client socket=$work/run/socket
  for client in "$modules"/p11-kit-client.*; do config=$work/client.toml; done
  printf '[[store]]\nkind = "token"\npath = "%s"\n' "$client" >"$config"
  DEVTRUST_CONFIG=$work/config.toml "$programs/devtrust-keyholder" --socket "$socket" &
  holder=$!
  export P11_KIT_SERVER_ADDRESS=unix:path=$socket
  # Its socket has a name before it listens.
  for ((i = 0; i < 100; ++i)); do
    if DEVTRUST_CONFIG=$config "$programs/devtrust" status >/dev/null 2>&1; then break; fi
    sleep 0.1
  done
}

sign_and_verify() {
  export HOME=$work/home DEVTRUST_CONFIG=$config PATH=$programs:$PATH
  unset XDG_CONFIG_HOME GIT_CONFIG_GLOBAL
  devtrust status
  devtrust setup git
  git init --quiet "$work/repository"
  cd "$work/repository"
  git -c user.name=Alice -c user.email=alice@example.com commit --quiet -S --allow-empty -m "Signed with $key"
  git verify-commit HEAD
  local verdict
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
}

for key in rsa ec; do
  for user in devtrust-smimesign devtrust-keyholder; do
    work=$(cd -- "$(mktemp -d)" && pwd -P)
    mkdir "$work/home"
    config=$work/config.toml
    if [[ $user == devtrust-keyholder ]]; then
      "$here/macos-keychain.sh" "$work" "$key" "$programs/$user"
      start_keyholder
    else
      "$here/macos-keychain.sh" "$work" "$key" "$programs/devtrust" "$programs/$user"
      unset P11_KIT_SERVER_ADDRESS
    fi
    (sign_and_verify)
    clean
    echo "A commit signed with the keychain's $key key, used by $user: good by git and by OpenSSL"
  done
done
