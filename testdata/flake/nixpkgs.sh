#!/bin/sh
# nixpkgs.sh DIR: lay out in DIR what nixpkgs would take in: the package, with the hash of
# the commit's source as GitHub serves it for a tag, and the test of NixOS.
set -eu

[ $# -eq 1 ] || {
    echo "usage: nixpkgs.sh DIR" >&2
    exit 1
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
git archive HEAD | tar -x -C "$work/source"
hash=$(nix --extra-experimental-features nix-command hash path "$work/source")

package=$out/pkgs/by-name/li/livebuild tests=$out/nixos/tests/livebuild
mkdir -p "$package" "$tests"
sed -e "s|hash = lib.fakeHash;|hash = \"$hash\";|" -e '/"make vendor-hash"/d' "$work/source/package.nix" >"$package/package.nix"
grep -q "hash = \"$hash\";" "$package/package.nix"
cp "$work"/source/nix/test/*.nix "$tests/"
cat <<END
Beside these files in $out, nixpkgs wants a line in nixos/tests/all-tests.nix:
    livebuild = runTest ./livebuild;
and the tag v$(sed -n 's/^ *version = "\(.*\)";$/\1/p' "$package/package.nix") on $(git rev-parse --short=12 HEAD).
END
