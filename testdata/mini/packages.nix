# pkgs: [ store paths ] with every odd thing that a store can hold.
{ build, kernel, ... }:
let
  # chain N: a package that refers to its predecessor and to the one half as far.
  chain =
    n:
    if n == 0 then
      build "mini-link-0" { } "mkdir $out; echo the first > $out/self"
    else
      build "mini-link-${toString n}" { } ''
        mkdir -p $out/lib
        echo ${chain (n - 1)} > $out/previous
        ln -s ${chain (n / 2)} $out/lib/half
        [ ${toString (n - n / 3 * 3)} != 0 ] || echo $out > $out/self
      '';

  small = build "mini-small-files" { } ''
    mkdir $out
    i=0
    while [ $i -lt 1500 ]; do echo "file $i of 1500" > $out/f-$i; i=$((i + 1)); done
  '';

  # A directory's header counts 256 entries at most: symbolic links are the shortest entries.
  farm = build "mini-farm" { } ''
    mkdir -p $out/store $out/short $out/exactly-256 $out/exactly-257
    i=0
    while [ $i -lt 400 ]; do ln -s ${small}/f-$i $out/store/l-$i; i=$((i + 1)); done
    i=0
    while [ $i -lt 600 ]; do ln -s x $out/short/$i; i=$((i + 1)); done
    i=0
    while [ $i -lt 256 ]; do ln -s x $out/exactly-256/$i; ln -s x $out/exactly-257/$i; i=$((i + 1)); done
    ln -s x $out/exactly-257/256
  '';

  links = build "mini-symlinks" { } ''
    mkdir -p $out/dir
    cd $out
    echo target > dir/file
    ln -s dir/file relative
    ln -s ../dir/./file dir/dotted
    ln -s ${farm}/store/l-1 absolute
    ln -s dir to-dir
    ln -s /nowhere/at/all dangling
    ln -s loop-b loop-a
    ln -s loop-a loop-b
    ln -s . itself
    ln -s $out/dir/file absolute-own
    ln -s "$(printf 'with space\tand tab')" white
    ln -s "$(printf 'Latin-1 caf\351')" bytes
    ln -s "$(printf '%0900d' 0)" long
    ln -s "$(printf '%04095d' 0)" longest
  '';

  names = build "mini-names" { } ''
    mkdir $out
    cd $out
    name() { echo "a file named oddly" > "./$1"; }
    name "$(printf '%0255d' 0)"
    utf8=
    i=0
    while [ $i -lt 85 ]; do utf8="$utf8$(printf '\342\202\254')"; i=$((i + 1)); done
    name "$utf8"
    name "$(printf 'caf\351 in Latin-1')"
    name "$(printf '\377\376 no encoding')"
    name "$(printf 'composed \303\251')"
    name "$(printf 'decomposed e\314\201')"
    name "$(printf 'new\nline')"
    name "$(printf 'control \001\033\177')"
    name "$(printf 'tab\there')"
    for odd in ' leading space' 'trailing space ' 'single'"'"'quote' 'double"quote' 'back\slash' 'equals=sign' \
      'star*' 'question?' '[bracket]' '-rf' '--' '...' '.hidden' '~' '$HOME' 'semi;colon' 'a:b' '%41' '#hash' '!' \
      '&' '|' '<>' case Case CASE 'name.' 'two..dots' '@busybox@' 'CON' 'a,b' '{}'; do
      name "$odd"
    done
    mkdir "$(printf 'directory %0245d' 0)" 'directory with spaces'
    name 'directory with spaces/file'
  '';

  modes = build "mini-modes" { } ''
    mkdir $out
    for mode in 000 111 222 333 400 444 500 555 600 640 644 666 700 711 750 755 777; do
      echo "made with mode $mode" > $out/file-$mode
      mkdir $out/directory-$mode
    done
    for mode in 000 111 222 333 400 444 500 555 600 640 644 666 700 711 750 755 777; do
      chmod $mode $out/file-$mode $out/directory-$mode
    done
  '';

  empty = build "mini-empty-things" { } ''
    mkdir -p $out/directory/in/directory $out/many
    : > $out/file
    i=0
    while [ $i -lt 40 ]; do : > $out/many/$i; i=$((i + 1)); done
  '';

  # 60 levels, a path of more than 1,900 bytes.
  deep = build "mini-deep" { } ''
    path=$out
    i=0
    while [ $i -lt 60 ]; do path=$path/level-of-a-deep-directory-$i-xxxx; i=$((i + 1)); done
    mkdir -p $path
    echo "the bottom" > $path/bottom
  '';

  hardlinks = build "mini-hard-links" { } ''
    mkdir -p $out/a $out/b
    echo "one inode, four names" > $out/a/one
    ln $out/a/one $out/a/two
    ln $out/a/one $out/b/three
    ln $out/a/one $out/four
    chmod 755 $out/a/one
    : > $out/a/empty
    ln $out/a/empty $out/b/empty
  '';

  # Sizes at the borders of the block sizes in use; data that does not compress comes from the kernel.
  data = build "mini-data" { } ''
    mkdir $out
    cd $out
    kernel=$(echo ${kernel}/*)
    for size in 1 4095 4096 4097 131071 131072 131073 1048575 1048576 1048577 2097152; do
      tail -c +65537 "$kernel" | head -c $size > random-$size
    done
    tail -c +1000000 "$kernel" | head -c 2500001 > random-large
    head -c 3145729 /dev/zero > zeros
    yes "the same line again" | head -c 2000000 > repeated
    { head -c 1048576 /dev/zero; cat random-4097; head -c 1048576 /dev/zero; } > zeros-around
  '';

  # Whole files, and tails of files, that exist elsewhere in the closure.
  duplicates = build "mini-duplicates" { } ''
    mkdir $out
    cp ${data}/random-1048577 $out/twin
    cp ${data}/random-1048577 $out/triplet
    cp ${data}/repeated $out/repeated
    cp ${small}/f-7 $out/small
    { cat ${data}/random-1048576; cat ${small}/f-7; } > $out/same-beginning
  '';

  holes = build "mini-holes" { } ''
    mkdir $out
    truncate -s 16M $out/only-a-hole
    truncate -s 24M $out/islands
    for at in 0 5 11 23; do
      echo "an island at $at MiB" | dd of=$out/islands bs=1M seek=$at conv=notrunc 2> /dev/null
    done
    echo "then a hole to the end" > $out/tail
    truncate -s 5000001 $out/tail
  '';

  plain = build "mini-plain-file" { } "echo ${links} > $out";
  program = build "mini-program" { } "printf '#!/bin/sh\\nexit 0\\n' > $out; chmod 755 $out";
  emptyFile = build "mini-empty-file" { } ": > $out";
  emptyDirectory = build "mini-empty-directory" { } "mkdir $out";
  link = build "mini-link-to-a-package" { } "ln -s ${names} $out";
  brokenLink = build "mini-link-to-nothing" { } "ln -s /nowhere $out";
  text = builtins.toFile "mini-text" "a text of the evaluator that names nothing\n";

  longName = build ("mini-" + builtins.concatStringsSep "" (builtins.genList (_: "0123456789") 18) + "-long") { } ''
    echo "a name of 190 bytes" > $out
  '';
  oddName = build "mini+odd._name?=1.0-" { } "mkdir $out; echo odd > $out/odd";
in
[
  (chain 24)
  small
  farm
  links
  names
  modes
  empty
  deep
  hardlinks
  data
  duplicates
  holes
  plain
  program
  emptyFile
  emptyDirectory
  link
  brokenLink
  text
  longName
  oddName
]
