#!/bin/sh
# vendor-hash.sh: write to package.nix the hash of the Go modules that Nix fetches for it.
#
# Nix' own hash of an archive of what "go mod vendor" lays out. It changes when go.mod does.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go mod vendor -o "$work/vendor"
hash=$(nix --extra-experimental-features nix-command hash path "$work/vendor")
case $hash in
sha256-*=) ;;
*)
    echo "vendor-hash.sh: no hash: $hash" >&2
    exit 1
    ;;
esac
sed "s|vendorHash = \".*\";|vendorHash = \"$hash\";|" package.nix >"$work/package.nix"
grep -q "vendorHash = \"$hash\";" "$work/package.nix"
cmp -s "$work/package.nix" package.nix || cat "$work/package.nix" >package.nix
echo "$hash"
