#!@busybox@/bin/sh
# manifest EXCLUDED PATH...: describe everything under the store paths PATH... but the file EXCLUDED.
#
# Lines, each kind in the order of names as bytes:
#   d MODE NAME
#   l NAME -> TARGET
#   f MODE SIZE NAME
#   SHA-256  NAME
# A file above 64 MiB is described by windows of it instead: "w OFFSET SHA-256 NAME",
# where OFFSET counts MiB. The same program makes the list and, in the booted system, repeats it.
set -eu
export PATH=@busybox@/bin LC_ALL=C
large=131072 # 512-byte units

excluded=$1
shift

find "$@" -type d -print0 | sort -z | xargs -0 -r stat -c 'd %a %n'
find "$@" -type l -print0 | sort -z | xargs -0 -r stat -c 'l %N'
find "$@" -type f ! -path "$excluded" -print0 | sort -z | xargs -0 -r stat -c 'f %a %s %n'
find "$@" -type f ! -path "$excluded" ! -size +$large -print0 | sort -z | xargs -0 -r sha256sum

# Windows of 1 MiB: the first, 31 more at even distances, the last, and those on both sides of 4 GiB.
find "$@" -type f ! -path "$excluded" -size +$large | sort | while read -r file; do
    last=$((($(stat -c %s "$file") - 1) / 1048576))
    offsets="4095 4096 $last"
    i=0
    while [ $i -lt 32 ]; do
        offsets="$offsets $((last * i / 32))"
        i=$((i + 1))
    done
    for offset in $(echo "$offsets" | tr ' ' '\n' | sort -nu); do
        [ "$offset" -le $last ] || continue
        sum=$(dd if="$file" bs=1048576 skip="$offset" count=1 2>/dev/null | sha256sum)
        echo "w $offset ${sum%% *} $file"
    done
done
