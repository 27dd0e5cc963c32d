#!/bin/sh
# mksquashfs.sh DIR: get the newest squashfs-tools that the mirror has, as DIR/mksquashfs and
# DIR/unsquashfs.
#
# Debian 12 has 4.5.1. Newer ones are taken from Debian's unstable suite, else from Debian 13,
# unpacked with the libraries that they need, and run with those: nothing is installed, and DIR may
# be moved. If neither can be had, they are the machine's own. DIR/mksquashfs.version says
# which it is. What is there already is kept.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../debian.sh"
arch=$(dpkg --print-architecture)
libraries="libc6 libgcc-s1 liblz4-1 liblzma5 liblzo2-2 libzstd1 zlib1g"

die() {
    echo "mksquashfs.sh: $*" >&2
    exit 1
}

# fetch SUITE: unpack mksquashfs and its libraries from a suite into $out/tools.
fetch() {
    cache=$out/cache/$1
    complete=$cache/complete
    mkdir -p "$cache"
    if [ ! -s "$complete" ]; then
        sibling_sources "$1" | read_index || return 1
        # shellcheck disable=SC2086 # a list of words
        download squashfs-tools $libraries || return 1
    fi
    rm -rf "$out/tools"
    for file in "$cache"/*.deb; do
        dpkg-deb -x "$file" "$out/tools" || return 1
    done
    loader=$(find "$out/tools" -name 'ld-linux*.so.*' | head -n 1)
    libc=$(find "$out/tools" -name libc.so.6 | head -n 1)
    [ -n "$loader" ] && [ -n "$libc" ] || return 1
    tools=tools/usr/lib/$(basename "$(dirname "$libc")") # the newer layout has all libraries here, the older one not libc
    for tool in mksquashfs unsquashfs; do
        {
            echo '#!/bin/sh'
            echo 'dir=${0%/*}'
            echo "exec \"\$dir/${loader#"$out/"}\" --library-path \"\$dir/$(dirname "${libc#"$out/"}"):\$dir/$tools\" \"\$dir/tools/usr/bin/$tool\" \"\$@\""
        } >"$out/$tool.new"
        chmod +x "$out/$tool.new"
    done
    "$out/mksquashfs.new" -version >/dev/null || return 1
    packages=$(cd "$cache" && printf '%s\n' ./*.deb | sed 's|^\./||; s/_[^_]*\.deb$//; s/_/ /; s/%3a/:/' | paste -sd , | sed 's/,/, /g')
    echo "mksquashfs of Debian's suite $1 ($packages)" >"$out/mksquashfs.version"
    mv "$out/unsquashfs.new" "$out/unsquashfs"
    mv "$out/mksquashfs.new" "$out/mksquashfs"
}

[ $# -eq 1 ] || die "usage: mksquashfs.sh DIR"
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ ! -x "$out/mksquashfs" ] || [ ! -x "$out/unsquashfs" ] || exit 0
fetch sid || fetch trixie || {
    echo "mksquashfs.sh: no newer mksquashfs is to be had, taking the machine's own" >&2
    echo "the machine's own $(mksquashfs -version | head -n 1), for lack of a newer one" >"$out/mksquashfs.version"
    for tool in mksquashfs unsquashfs; do
        ln -sf "$(command -v $tool)" "$out/$tool"
    done
}
cat "$out/mksquashfs.version"
