#!/bin/bash
# bench-foreign.sh LIVEBUILD FLAKE CACHE [RUNS]: measure what packing costs for another platform.
#
# One closure, the Debian files that the flake is made of, is packed into an image for
# x86_64 and one for aarch64; then by this machine's mksquashfs, and by Debian's mksquashfs
# for aarch64 under qemu-user, which is how an emulated derivation packs. All with one
# worker. Processor time is measured, the least of the runs: it hardly depends on what else
# the machine does. CACHE keeps the packages of that mksquashfs. Prints the table of
# docs/benchmarks.md.
set -eu -o pipefail

livebuild=$(realpath "$1") flake=$(realpath "$2") runs=${4:-3}
mkdir -p "$3"
cache=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    echo "bench-foreign.sh: $*" >&2
    exit 1
}
. "$here/debian.sh"

arch=arm64 complete=$cache/complete
if [ ! -s "$complete" ]; then
    bookworm_sources main | read_index
    download squashfs-tools libc6 libgcc-s1 zlib1g liblzma5 liblzo2-2 liblz4-1 libzstd1
fi
for package in "$cache"/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done

# measure NAME COMMAND...: the least processor time of the runs, in seconds.
measure() {
    name=$1
    shift
    for _ in $(seq "$runs"); do
        (TIMEFORMAT='%U %S'; time "$@" >"$work/out" 2>"$work/log") 2>&1 | awk '{ print $1 + $2 }'
    done | sort -n | head -n 1 >"$work/$name" || die "$(cat "$work/log")"
}

# A configuration for a platform, of which nothing is built but boot programs.
cat >"$work/image.nix" <<END
let
  of = system: import $flake/config.nix {
    inherit system;
    buildSystem = "x86_64-linux";
    settings.isoImage = {
      squashfsCompression = "zstd -Xcompression-level 19";
      storeContents = [ (builtins.path { name = "files"; path = $flake.deb/amd64; }) ];
    };
  };
in
{
  x86_64 = of "x86_64-linux";
  aarch64 = of "aarch64-linux";
}
END
for platform in x86_64 aarch64; do
    pack() { "$livebuild" iso -f "$work/image.nix" $platform -o "$work/$platform.iso" --reuse none --jobs 1 --json "$@"; }
    pack --compression lz4 >/dev/null 2>"$work/log" || die "$(cat "$work/log")" # builds what is missing
    measure $platform pack
    sed -n 's/^  "squashfs_bytes": \(.*\),$/\1/p' "$work/out" >"$work/$platform.size"
done

squash() {
    "$@" "$flake.deb/amd64" "$work/squashfs" -noappend -no-progress -all-root -no-hardlinks -b 1M -processors 1 \
        -comp zstd -Xcompression-level 19
}
measure native squash mksquashfs
stat -c %s "$work/squashfs" >"$work/native.size"
runs=1
measure emulated squash qemu-aarch64-static -L "$work/root" "$work/root/usr/bin/mksquashfs"
stat -c %s "$work/squashfs" >"$work/emulated.size"

# row TITLE NAME: a line of the table.
row() {
    awk -v title="$1" -v s="$(cat "$work/$2")" -v base="$(cat "$work/x86_64")" -v size="$(cat "$work/$2.size")" 'BEGIN {
        printf "| %s | %.1f s | %.1f | %.1f MB |\n", title, s, s / base, size / 1e6 }'
}

echo "| $(du -sb "$flake.deb/amd64" | awk '{ printf "%.0f MB", $1 / 1e6 }'), zstd 19 | processor time | relative | store image |"
echo "|---|---|---|---|"
row '`livebuild iso`, all of it, for x86_64' x86_64
row '`livebuild iso`, all of it, for aarch64' aarch64
row 'mksquashfs' native
row 'mksquashfs for aarch64 under qemu-user' emulated
