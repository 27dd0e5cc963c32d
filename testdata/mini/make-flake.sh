#!/bin/sh
# make-flake.sh DIR CACHE [ARCH...]: assemble the mini flake in DIR, ready for Nix.
#
# DIR must lie outside a git repository: inside one, Nix sees only files that are tracked.
# ARCH is amd64 (the default) or arm64; CACHE is explained in prepare.sh.
#
# What is taken from Debian, 100 MB, goes to DIR.deb: Nix copies the whole flake at each
# evaluation. debian.nix, in DIR, has the addresses and the sums of it, by which Nix knows
# what it has in its store already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || {
    echo "usage: make-flake.sh DIR CACHE [ARCH...]" >&2
    exit 1
}
dir=$1 cache=$2
shift 2
[ $# -gt 0 ] || set -- amd64

mkdir -p "$dir"
for file in "$here"/*.nix "$here"/manifest.sh "$here"/stage1.sh "$here"/stage2.sh "$here"/kexec.sh "$here"/modules.list "$here"/splash.png.base64; do
    cp "$file" "$dir/"
done
rm -rf "$dir/nixos"
cp -R "$here/nixos" "$dir/"
rm -rf "$dir/install"
cp -R "$here/install" "$dir/"

mkdir -p "$dir.deb"
deb=$(cd "$dir.deb" && pwd)
rm -rf "$dir/deb" "$dir/debian.nix"
{
    echo "{"
    for arch in "$@"; do
        "$here/prepare.sh" "$arch" "$deb/$arch" "$cache" >&2
        tar -c -f "$deb/$arch.tar" --sort=name --owner=0 --group=0 -C "$deb" "$arch"
        echo "  $arch = { url = \"file://$deb/$arch.tar\"; sha256 = \"$(nix-hash --type sha256 --base32 "$deb/$arch")\"; };"
        [ "$arch" = amd64 ] || continue
        "$here/tools.sh" "$deb/tools.tar.xz" "$cache" >&2
        echo "  tools = { url = \"file://$deb/tools.tar.xz\"; sha256 = \"$(nix-hash --type sha256 --base32 --flat "$deb/tools.tar.xz")\"; };"
    done
    echo "}"
} >"$deb/debian.nix"
mv "$deb/debian.nix" "$dir/debian.nix"
