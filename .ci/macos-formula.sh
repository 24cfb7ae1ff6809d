#!/usr/bin/env bash
# macos-formula.sh: has Homebrew build, install and test this commit by the formula, as README.md says it of a release.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
version=$(sed -n 's/^project(devtrust VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
mkdir -p build/formula
git archive --prefix="devtrust-$version/" -o "build/formula/devtrust-$version.tar.gz" HEAD
DEVTRUST_RELEASE_URL=file://$PWD/build/formula .ci/homebrew-formula.sh "$version" "build/formula/devtrust-$version.tar.gz" \
  >build/formula/devtrust.rb
brew tap-new --no-git local/devtrust
tap=$(brew --repository local/devtrust)
mkdir -p "$tap/Formula"
cp build/formula/devtrust.rb "$tap/Formula/"
brew install local/devtrust/devtrust
brew test local/devtrust/devtrust
