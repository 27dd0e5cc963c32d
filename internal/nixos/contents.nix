# Tells the user's entries of isoImage.contents from those of the ISO module, which
# are made again here, for the newest layout.
#
# Of the entries for a target that the module has, those are its own that it
# defines; where nobody says who defines what, the first one is. Their sources need
# not be evaluated. What is left is the user's: where the module has a file it
# collides with that, into a directory it is merged.
{
  config,
  options,
  # Targets of the module: { file = [ … ]; directory = [ … ]; }.
  targets,
}:
let
  # Lower case, because releases differ in it: /EFI/boot became /EFI/BOOT.
  lower =
    builtins.replaceStrings
      [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ]
      [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ];

  normal =
    target:
    lower (
      builtins.concatStringsSep "/" (
        builtins.filter (s: builtins.isString s && s != "") (builtins.split "/" (toString target))
      )
    );

  file = map normal targets.file;
  directory = map normal targets.directory;
  own = file ++ directory;

  # Entries with where they are defined.
  definitions =
    options.isoImage.contents.definitionsWithLocations or [
      {
        file = null;
        value = config.isoImage.contents or [ ];
      }
    ];

  isModule =
    name:
    name != null && builtins.match ".*/installer/cd-dvd/iso-image[.]nix" (toString name) != null;

  all = builtins.concatLists (
    map (
      d:
      map (x: {
        inherit (x) source;
        target = toString x.target;
        key = normal x.target;
        byModule = isModule d.file;
      }) d.value
    ) definitions
  );

  withKey = key: builtins.filter (x: x.key == key) all;

  users =
    key: entries:
    if !(builtins.elem key own) then
      entries
    else if builtins.any (x: x.byModule) all then
      builtins.filter (x: !x.byModule) entries
    else
      builtins.tail entries;

  keys = builtins.attrNames (
    builtins.listToAttrs (
      map (x: {
        name = x.key;
        value = null;
      }) all
    )
  );

  remaining = map (key: { inherit key; entries = users key (withKey key); }) keys;
in
{
  # In the order of the targets.
  entries = builtins.concatLists (
    map (k: map (x: { source = "${x.source}"; inherit (x) target; }) k.entries) remaining
  );
  # Targets of which the image has only one.
  clashes = map (k: k.key) (
    builtins.filter (k: k.entries != [ ] && builtins.elem k.key file) remaining
  );
}
