# pkgs: [ store paths ] with files beyond 4 GiB that hold next to no data.
{ build, ... }:
[
  (build "mini-sparse" { } ''
    mkdir $out
    island() { echo "an island at $2 MiB" | dd of=$out/$1 bs=1M seek=$2 conv=notrunc 2> /dev/null; }

    # 4.7 GB, data at both ends and on both sides of 4 GiB.
    truncate -s 4700000000 $out/beyond-4-gib
    for at in 0 4095 4096 4482; do island beyond-4-gib $at; done

    # Exactly 4 GiB, ending in data.
    truncate -s 4294967296 $out/exactly-4-gib
    island exactly-4-gib 0
    printf 'the end.' | dd of=$out/exactly-4-gib bs=8 seek=536870911 conv=notrunc 2> /dev/null
  '')
]
