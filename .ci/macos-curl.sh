#!/usr/bin/env bash
# macos-curl.sh PREFIX: Homebrew's curl shows the certificate of a throwaway keychain to a server that demands it, through the
# OpenSSL provider of the devtrust that is installed there, with an RSA and with an EC key.
set -euo pipefail
prefix=$(cd -- "$1" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
openssl=$(brew --prefix openssl@3)/bin/openssl
curl=$(brew --prefix curl)/bin/curl # macOS' own has no OpenSSL
work=
server=

clean() {
  if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
  server=
  if [[ -z $work ]]; then return; fi
  security delete-keychain "$work/device.keychain-db" || true
  rm -rf -- "$work"
  work=
}
trap clean EXIT

fail() {
  printf 'macos-curl.sh: %s\n' "$1" >&2
  cat "$work"/*.log >&2
  exit 1
}

if [[ $("$curl" --version) != *OpenSSL/3* ]]; then
  echo "macos-curl.sh: $curl is not built with OpenSSL 3" >&2
  exit 1
fi
for key in rsa ec; do
  work=$(cd -- "$(mktemp -d)" && pwd -P)
  "$here/macos-keychain.sh" "$work" "$key" "$prefix/bin/devtrust" "$curl"
  DEVTRUST_CONFIG=$work/config.toml "$prefix/bin/devtrust" pem -o "$work/device"
  "$openssl" req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/server.key" -out "$work/server.pem" 2>"$work/req.log"

  # It chooses a port, says which, and shows whoever connects what certificate it saw.
  : >"$work/server.log"
  "$openssl" s_server -accept 127.0.0.1:0 -cert "$work/server.pem" -key "$work/server.key" -CAfile "$work/root.pem" \
    -Verify 3 -verify_return_error -www >"$work/server.log" 2>&1 </dev/null &
  server=$!
  port=
  for ((i = 0; i < 100; ++i)); do
    port=$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\).*/\1/p' "$work/server.log")
    if [[ -n $port ]]; then break; fi
    sleep 0.1
  done
  if [[ -z $port ]]; then fail "the server does not listen"; fi

  ask() {
    env "OPENSSL_CONF=$prefix/share/devtrust/openssl/devtrust.cnf" "DEVTRUST_CONFIG=$work/config.toml" \
      "$curl" --disable --silent --show-error --fail --max-time 60 --cacert "$work/server.pem" "$@" "https://127.0.0.1:$port/" \
      2>"$work/curl.log"
  }
  if ask >"$work/page"; then fail "the server lets in who shows no certificate"; fi
  ask --cert "$work/device/chain.pem" --key "$work/device/key.pem" >"$work/page" || fail "curl was not let in with the certificate"
  grep -q 'JumpCloud Device Trust Certificate' "$work/page" || fail "the server saw another certificate"
  clean
  echo "curl with the keychain's $key key, through the provider: let in"
done
