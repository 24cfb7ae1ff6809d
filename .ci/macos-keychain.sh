#!/usr/bin/env bash
# macos-keychain.sh FOLDER KEY PROGRAM...
# Makes a device-trust chain whose leaf has a KEY ("rsa" or "ec"), and puts it into a throwaway keychain that no search list
# names. These programs may use the key without a question, and no others. Then FOLDER has config.toml, which leads to the
# keychain, root.pem, and what `security delete-keychain` takes: device.keychain-db. Called by the other macos-*.sh.
set -euo pipefail
folder=$(cd -- "$1" && pwd -P)
key=$2
shift 2
openssl=$(brew --prefix openssl@3)/bin/openssl
keychain=$folder/device.keychain-db
password=throwaway
umask 077 # the configuration is believed only where nobody else may write it

case $key in
  rsa) new=(-newkey rsa:2048) ;;
  ec) new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256) ;;
  *) echo "macos-keychain.sh: KEY is rsa or ec, not $key" >&2; exit 2 ;;
esac

# By the names that JumpCloud's certificates have (identity/profile.cc).
cat >"$folder/pki.cnf" <<'PKI'
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
PKI

quietly() {
  if ! "$openssl" "$@" 2>"$folder/openssl.log"; then
    cat "$folder/openssl.log" >&2
    exit 1
  fi
}

# certificate NAME SUBJECT EXTENSIONS DAYS [SIGNER]
certificate() {
  local sign=(-signkey "$folder/$1.key")
  if (($# > 4)); then sign=(-CA "$folder/$5.pem" -CAkey "$folder/$5.key" -CAcreateserial); fi
  quietly req -config "$folder/pki.cnf" -new "${new[@]}" -nodes -subj "/CN=$2" -keyout "$folder/$1.key" -out "$folder/$1.csr"
  quietly x509 -req -sha256 -in "$folder/$1.csr" -days "$4" -extfile "$folder/pki.cnf" -extensions "$3" "${sign[@]}" \
    -out "$folder/$1.pem"
}
certificate root device-trust.root authority 365
certificate intermediate device-trust.intermediate authority 180 root
certificate leaf 'JumpCloud Device Trust Certificate' leaf 30 intermediate
# macOS' own reader may know the old encryption alone, and takes no file without a password.
cat "$folder/intermediate.pem" "$folder/root.pem" >"$folder/issuers.pem"
quietly pkcs12 -export -in "$folder/leaf.pem" -inkey "$folder/leaf.key" -certfile "$folder/issuers.pem" \
  -name 'JumpCloud Device Trust' -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1 -passout "pass:$password" \
  -out "$folder/leaf.p12"

printf '[[store]]\nkind = "keychain"\npath = "%s"\n' "$keychain" >"$folder/config.toml"

# Whom securityd lets use a key: those of its access list (-T) that are in one of its partitions as well. The partition of a
# program that is signed ad hoc, as linkers do it, is its hash; that of one that is not signed "unsigned:".
partitions=apple-tool:,apple:
trusted=()
for program in "$@"; do
  hash=$({ codesign -d --verbose=4 "$program" 2>&1 || true; } | sed -n 's/^CDHash=//p')
  if [[ -n $hash ]]; then partitions+=,cdhash:$hash; else partitions+=,unsigned:; fi
  trusted+=(-T "$program")
done
security create-keychain -p "$password" "$keychain"
security set-keychain-settings "$keychain" # it stays unlocked
security unlock-keychain -p "$password" "$keychain"
security import "$folder/leaf.p12" -k "$keychain" -f pkcs12 -P "$password" -x "${trusted[@]}" >/dev/null
security set-key-partition-list -S "$partitions" -s -k "$password" "$keychain" >/dev/null
# What is in the keychain is nowhere else.
rm -f -- "$folder"/*.key "$folder/leaf.p12"
