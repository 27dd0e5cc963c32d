# pkgs: [ store paths ] with 4.4 GB of data, no two files alike.
{ build, ... }:
[
  (build "mini-big" { } ''
    mkdir $out
    for i in 1 2 3 4 5; do
      yes "line of file $i, one of many" | head -c 880000000 > $out/$i
    done
  '')
]
