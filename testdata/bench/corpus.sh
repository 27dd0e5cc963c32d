#!/bin/sh
# corpus.sh DIR [LIST]: make a Nix store of the size of a desktop from packages of Debian 12.
#
# LIST names the packages, one a line; packages.list if it is left out. Each becomes a store
# path in a store of its own below DIR, registered with its NAR hash by Nix. Firmware is
# compressed as nixpkgs compresses it, some with xz, some with zstd; the kernel's modules are
# as Debian has them, plain. Downloads stay in DIR/cache. What is there already is kept.
#
# DIR receives
#   store/             the root of the store: its files are in store/nix/store
#   a.paths            the store paths of the corpus, one a line
#   b.paths            the same after an update: one small package has changed
#   README             what it is, for people; complete if it is there
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"
arch=amd64
updated=cpio # the package that another build of comes with variant b
export NIX_CONFIG="build-users-group ="

die() {
    echo "corpus.sh: $*" >&2
    exit 1
}

# store_name FILE: name and version of a package from its file name, in the letters of store paths.
store_name() {
    basename "$1" | sed 's/_[^_]*\.deb$//; s/_\([0-9]*%3a\)\{0,1\}/-/; s/[^A-Za-z0-9+._?=-]/-/g'
}

# compress_firmware SUFFIX FOLDER COMMAND...: replace each file of a package's firmware by a
# compressed one, as nixpkgs' compressFirmwareXz and compressFirmwareZstd do, and name the links alike.
compress_firmware() {
    suffix=$1 firmware=$2/lib/firmware
    shift 2
    [ -d "$firmware" ] || return 0
    find "$firmware" -type f -print0 | xargs -0 -r -n 16 -P "$(nproc)" "$@"
    find "$firmware" -type l | while read -r link; do
        ln -s "$(readlink "$link")$suffix" "$link$suffix"
        rm "$link"
    done
}

# add FOLDER...: copy folders into the store, and print their store paths.
add() {
    printf '%s\0' "$@" | xargs -0 -n 100 nix-store --store "$out/store" --add
}

# update FOLDER: make another build of a package, with a few bytes more in each program and in
# its documentation.
update() {
    find "$1" -type f \( -path '*/bin/*' -o -path '*/doc/*' \) | while read -r file; do
        chmod u+w "$file"
        printf 'another build\n' >>"$file"
    done
}

# describe VARIANT: a line with the size of a list of store paths.
describe() {
    sed "s|^|$out/store|" "$out/$1.paths" | tr '\n' '\0' |
        xargs -0 sh -c 'find "$@" -printf "%y %s\n"' sh |
        awk -v paths="$(wc -l <"$out/$1.paths")" -v list="$1.paths" '
            $1 == "f" { files++; bytes += $2 } $1 == "l" { links++ } $1 == "d" { dirs++ }
            END { printf "%s: %d store paths, %d files of %d bytes, %d links, %d folders\n", list, paths, files, bytes, links, dirs }'
}

[ $# -eq 1 ] || [ $# -eq 2 ] || die "usage: corpus.sh DIR [LIST]"
list=${2-$here/packages.list}
packages=$(sed 's/#.*//' "$list")
mkdir -p "$1/cache"
out=$(cd "$1" && pwd)
cache=$out/cache
key=$(cat "$0" "$list" | cksum | cut -d ' ' -f 1)
grep -qsx "corpus $key" "$out/README" && exit 0

# A changed package list is another cache.
# shellcheck disable=SC2086 # a list of words
complete=$cache/complete-$(echo $packages | cksum | cut -d ' ' -f 1)
[ -s "$complete" ] || {
    bookworm_sources main non-free-firmware | read_index
    kernel=$(kernel_package)
    # shellcheck disable=SC2046,SC2086 # a list of words
    download $(printf '%s\n' $packages | sed "s/^linux-image-$arch\$/$kernel/")
}

unpacked=$(mktemp -d "$out/unpacked.XXXXXX")
trap 'chmod -R u+w "$unpacked"; rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM
[ ! -d "$out/store" ] || chmod -R u+w "$out/store"
rm -rf "$out/store" "$out/README"

for file in "$cache"/*.deb; do
    dpkg-deb -x "$file" "$unpacked/$(store_name "$file")"
done
for folder in "$unpacked"/firmware-iwlwifi-* "$unpacked"/firmware-atheros-*; do
    compress_firmware .xz "$folder" xz -9 -T1 -C crc32 --lzma2=dict=2MiB
done
for folder in "$unpacked"/firmware-misc-nonfree-* "$unpacked"/firmware-realtek-*; do
    compress_firmware .zst "$folder" zstd -q -T1 -19 --long --check --rm
done

add "$unpacked"/* | sort >"$out/a.paths"
for folder in "$unpacked/$updated"-*; do
    update "$folder"
    [ "$(add "$folder")" = "$(grep -e "-$(basename "$folder")\$" "$out/a.paths")" ] &&
        die "$folder did not change"
    grep -ve "-$(basename "$folder")\$" "$out/a.paths" >"$out/b.paths.new"
    add "$folder" >>"$out/b.paths.new"
    sort "$out/b.paths.new" >"$out/b.paths"
    rm "$out/b.paths.new"
done

{
    echo "A Nix store of Debian's packages, made by corpus.sh."
    echo "The files of a store path are in $out/store, followed by the path."
    describe a
    describe b
    comm -3 "$out/a.paths" "$out/b.paths"
    echo "corpus $key"
} >"$out/README.new"
mv "$out/README.new" "$out/README"
cat "$out/README"
