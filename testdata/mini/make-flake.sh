#!/bin/sh
# make-flake.sh DIR CACHE [ARCH...]: assemble the mini flake in DIR, ready for Nix.
#
# DIR must lie outside a git repository: inside one, Nix sees only files that are tracked.
# ARCH is amd64 (the default) or arm64; CACHE is explained in prepare.sh.
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
for arch in "$@"; do
    "$here/prepare.sh" "$arch" "$dir/deb/$arch" "$cache"
    [ "$arch" != amd64 ] || "$here/tools.sh" "$dir/deb/tools.tar.xz" "$cache"
done
