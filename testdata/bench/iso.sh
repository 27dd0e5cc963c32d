#!/bin/bash
# iso.sh LIVEBUILD BENCH CORPUS FLAKE REPORT RUNS [ROW...]: measure how an image is made, all of it,
# beside a derivation like nixpkgs'. A ROW is a platform and a compression: x86_64:zstd:19.
#
# Everything that is written goes to a file system of its own, in a file in CORPUS: the Nix store,
# builds, images, caches. So the kernel's count of what its device was given is that of the row, and
# so is what is taken on it. Needs root, for that.
set -euo pipefail

livebuild=$(realpath "$1") bench=$(realpath "$2") corpus=$(realpath "$3") flake=$(realpath "$4") report=$5 runs=$6
shift 6
here=$(cd "$(dirname "$0")" && pwd)
disk=$corpus/iso.disk folder=$corpus/iso

device=
clean() {
    umount "$folder" 2>/dev/null || true
    [ -z "$device" ] || losetup -d "$device"
}
trap clean EXIT

for platform in x86_64:amd64 aarch64:arm64; do
    case " $* " in *" ${platform%:*}:"*) "$here/iso-tools.sh" "$corpus/iso-tools/${platform%:*}-linux" "${platform#*:}" ;; esac
done
mkdir -p "$folder"
fresh=
if [ ! -e "$disk" ]; then
    truncate -s 24G "$disk.new"
    mkfs.ext4 -q -m 0 -E lazy_itable_init=0,lazy_journal_init=0 "$disk.new"
    fresh=.new
fi
device=$(losetup --find --show --direct-io=on "$disk$fresh")
mount -o noatime "$device" "$folder"
if [ -n "$fresh" ]; then
    cp -a "$corpus/store" "$folder/store"
    mkdir "$folder/tmp" "$folder/images"
    sync -f "$folder"
    mv "$disk.new" "$disk"
fi
TMPDIR=$folder/tmp XDG_CACHE_HOME=$folder/cache NIX_CONFIG="${NIX_CONFIG-}"$'\nextra-platforms = aarch64-linux' \
    "$bench" iso -corpus "$corpus" -disk "$folder" -nix "$here/iso.nix" -flake "$flake" -tools "$corpus/iso-tools" \
    -livebuild "$livebuild" -report "$report" -runs "$runs" "$@"
