#!/bin/bash
# bench-write.sh LIVEBUILD FLAKE [ROUNDS]: measure how fast sticks are written.
#
# The stick is a loop device with direct I/O on a file of this file system, so that
# the disk below sets the pace and not the page cache. Prints the table of
# docs/benchmarks.md: the median of the rounds, which take turns.
set -euo pipefail

livebuild=$(realpath "$1") flake=$(realpath "$2") rounds=${3:-5}
size_mib=2048
work=$(mktemp -d "${BENCH_FOLDER:-$PWD}/bench-write.XXXXXX")
sources=$(mktemp -d) # outside of git repositories: in one, Nix sees only what is tracked
loop='' name=/dev/disk/by-id/livebuild-bench-$$
clean() {
    rm -f "$name"
    [ -z "$loop" ] || losetup --detach "$loop"
    rm -rf "$work" "$sources"
}
trap clean EXIT

fallocate --length $((size_mib + 64))MiB "$work/stick"
# Written once, so that no block is allocated while the clock runs.
dd if=/dev/zero of="$work/stick" bs=4M count=$(((size_mib + 64) / 4)) conv=notrunc,fsync status=none
loop=$(losetup --find --show --direct-io=on "$work/stick")
mkdir -p "${name%/*}"
ln -s "$loop" "$name"
head --bytes ${size_mib}M /dev/urandom >"$work/image"

# seconds COMMAND...: how long it takes, with the image in the page cache.
seconds() {
    cat "$work/image" >/dev/null
    sync
    local start end
    start=$(date +%s.%N)
    "$@" >/dev/null 2>&1
    end=$(date +%s.%N)
    awk "BEGIN { print $end - $start }"
}

by_dd() { dd if="$work/image" of="$loop" bs=4M oflag=direct conv=fsync status=none; }
by_livebuild() { "$livebuild" write "$work/image" "$name" --yes --full "$@"; }

for _ in $(seq "$rounds"); do
    seconds by_dd >>"$work/dd"
    seconds by_livebuild --no-verify >>"$work/unverified"
    seconds by_livebuild >>"$work/verified"
done

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# row NAME FILE BYTES: a line of the table.
row() {
    awk -v name="$1" -v s="$(median "$2")" -v dd="$(median "$work/dd")" -v mib="$3" 'BEGIN {
        printf "| %s | %.2f s | %.0f MB/s | %.2f |\n", name, s, mib * 1.048576 / s, dd / s }'
}

echo "| 2 GiB | time | throughput | relative to dd |"
echo "|---|---|---|---|"
row '`dd bs=4M oflag=direct conv=fsync`' "$work/dd" $size_mib
row '`livebuild write --no-verify`' "$work/unverified" $size_mib
row '`livebuild write`, read back' "$work/verified" $size_mib

# An image of the flake, and one in which a package has changed.
export XDG_CACHE_HOME=$sources/cache
cp -R "$flake" "$sources/flake"
iso() { "$livebuild" iso "$sources/flake#mini" -o "$1" --force 2>/dev/null >/dev/null; }
iso "$work/old.iso"
sed -i 's|echo target > dir/file|echo another > dir/file|' "$sources/flake/packages.nix"
iso "$work/new.iso"
by_update() { "$livebuild" write "$work/new.iso" "$name" --yes --json "$@" >"$work/result"; }
for _ in $(seq "$rounds"); do
    "$livebuild" write "$work/old.iso" "$name" --yes --no-verify 2>/dev/null
    seconds by_update >>"$work/update"
    written=$(sed -n 's/.*"written":\([0-9]*\).*/\1/p' "$work/result")
    "$livebuild" write "$work/old.iso" "$name" --yes --no-verify 2>/dev/null
    seconds by_update --full >>"$work/full"
done
echo
echo "| mini, $(($(stat -c %s "$work/new.iso") / 1000000)) MB, one package changed | time | written |"
echo "|---|---|---|"
printf '| in place | %.2f s | %.1f MB |\n' "$(median "$work/update")" "$(awk "BEGIN { print $written / 1000000 }")"
printf '| `--full` | %.2f s | %.1f MB |\n' "$(median "$work/full")" "$(awk "BEGIN { print $(stat -c %s "$work/new.iso") / 1000000 }")"
