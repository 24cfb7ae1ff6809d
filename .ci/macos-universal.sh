#!/usr/bin/env bash
# macos-universal.sh ARM64_TREE X86_64_TREE FOLDER: joins what the two build trees install into FOLDER's
# devtrust-VERSION-Darwin-universal.tar.gz. Programs and modules hold both architectures; all else must be the same in both.
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
version=$(sed -n 's/^project(devtrust VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
name=devtrust-$version-Darwin-universal
mkdir -p "$3"
out=$(cd -- "$3" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

fail() {
  printf 'macos-universal.sh: %s\n' "$1" >&2
  exit 1
}

DESTDIR=$work/arm64 cmake --install "$1" >/dev/null
DESTDIR=$work/x86_64 cmake --install "$2" >/dev/null
diff <(cd "$work/arm64" && find . | sort) <(cd "$work/x86_64" && find . | sort) || fail "the trees install different files"
cp -R "$work/arm64" "$work/$name"
joined=0
while IFS= read -r path; do
  file=$work/$name/$path
  if ! lipo -archs "$work/arm64/$path" >/dev/null 2>&1; then
    cmp "$work/arm64/$path" "$work/x86_64/$path" || fail "$path is not the same in both trees"
    continue
  fi
  lipo -create "$work/arm64/$path" "$work/x86_64/$path" -output "$file"
  case " $(lipo -archs "$file") " in
    " arm64 x86_64 " | " x86_64 arm64 ") ;;
    *) fail "$path is for: $(lipo -archs "$file")" ;;
  esac
  # It is for machines that have no Homebrew.
  if otool -L "$file" | grep -E '^[[:space:]]+(/opt/homebrew|/usr/local|@rpath)/'; then fail "$path needs these libraries"; fi
  # The same name whatever the file is called. Who has a certificate of Apple's signs once more, with that.
  codesign --force --sign - --identifier "org.devtrust.$(basename "$path" .dylib)" "$file"
  codesign --verify --strict "$file"
  joined=$((joined + 1))
done < <(cd "$work/arm64" && find . -type f | sort)
((joined >= 4)) || fail "only $joined of the programs and modules were there"
tar -czf "$out/$name.tar.gz" -C "$work" "$name"
echo "Made: $out/$name.tar.gz, with $joined universal files"
