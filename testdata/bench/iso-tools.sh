#!/bin/sh
# iso-tools.sh DIR ARCH: get mksquashfs and xorriso for an architecture as Debian names them, as a
# folder DIR that a derivation can use: bin/, lib/ and ld.so, the dynamic linker to start them with.
#
# They are of Debian's unstable suite, else of Debian 13 or 12. DIR/version says which they are.
# What is there already is kept.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"

die() {
    echo "iso-tools.sh: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: iso-tools.sh DIR ARCH"
arch=$2
[ ! -e "$1/version" ] || exit 0
mkdir -p "$1.cache"
out=$(cd "$1.cache/.." && pwd)/$(basename "$1")
unpacked=$out.cache/unpacked
trap 'rm -rf "$unpacked"' EXIT

# get SUITE: unpack the programs of a suite with the libraries that they depend on.
get() {
    cache=$out.cache/$1 complete=$out.cache/$1/complete
    mkdir -p "$cache"
    if [ ! -s "$complete" ]; then
        if [ "$1" = bookworm ]; then bookworm_sources main; else sibling_sources "$1"; fi | read_index || return 1
        # shellcheck disable=SC2046 # a list of words
        download $(private_apt apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
            --no-breaks --no-replaces --no-enhances squashfs-tools xorriso |
            grep -E '^(lib[a-z0-9.+-]*|zlib1g|squashfs-tools|xorriso)$' | grep -vE '^lib(c-bin|debconf|perl)' | sort -u) || return 1
    fi
    rm -rf "$unpacked" "$out"
    for file in "$cache"/*.deb; do dpkg-deb -x "$file" "$unpacked" || return 1; done
    mkdir -p "$out/bin" "$out/lib"
    cp "$unpacked/usr/bin/mksquashfs" "$unpacked/usr/bin/xorriso" "$out/bin/" || return 1
    find "$unpacked" -name '*.so.*' \( -type f -o -type l \) -path '*-linux-gnu/*' -exec cp -L {} "$out/lib/" \; 2>/dev/null
    loader=$(find "$unpacked" -name 'ld-linux*.so.*' | head -n 1)
    cp -L "$loader" "$out/ld.so" && chmod 755 "$out/ld.so" "$out"/bin/*
    (cd "$cache" && printf '%s\n' ./*.deb | sed -n 's/^\.\/\(squashfs-tools\|xorriso\)_\([^_]*\)_.*/\1 \2/p' | sed 's/%3a/:/' | paste -sd , | sed 's/,/, /') >"$out/version.new"
    echo "$1: $(cat "$out/version.new")" >"$out/version"
    rm "$out/version.new"
}
get sid || get trixie || get bookworm || die "there are no such programs for $arch"
cat "$out/version"
