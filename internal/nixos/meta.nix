# What nixpkgs says of the packages that an image holds: names, versions, licences, homepages,
# CPEs.
#
# A store path does not tell of which package it is. So packages are looked for where they are
# likely, and those are told whose outputs are the very store paths: environment.systemPackages, the
# kernel, the attributes of the package set that are called as store paths are, and what all
# these are built with that stays in them. What is not found is not known.
{
  # The configuration.
  name,
  # Base names of the store paths.
  paths,
  # The other files here.
  files,
}:
configurations:
let
  inherit (configurations.${name}) config pkgs;

  set = names: builtins.listToAttrs (map (name: { inherit name; value = null; }) names);
  wanted = set paths;

  # The value, or other where it cannot be had: a package can be broken, or not allowed.
  try = other: value: let tried = builtins.tryEval value; in if tried.success then tried.value else other;
  # The same of all that is in it.
  tryAll = other: value: try other (builtins.deepSeq value value);

  isDerivation = value: builtins.isAttrs value && (value.type or null) == "derivation";
  derivations =
    value:
    try [ ] (
      if builtins.isList value then
        builtins.concatMap derivations value
      else if isDerivation value then
        [ value ]
      else
        [ ]
    );

  # Names of packages by store paths, which begin with a hash of 32 letters and a dash.
  names = builtins.attrNames (
    set (map (path: (builtins.parseDrvName (builtins.substring 33 (-1) path)).name) paths)
  );
  # In sets of packages for an interpreter they have the name of that in front.
  inSets = [
    { match = "python3[0-9.]*-(.*)"; from = pkgs.python3Packages or { }; }
    { match = "perl[0-9.]*-(.*)"; from = pkgs.perlPackages or { }; }
  ];
  called =
    name:
    derivations (pkgs.${name} or null)
    # Compilers, of which the attribute is a wrapper, and libraries of X11.
    ++ derivations (pkgs.${name}.cc or null)
    ++ derivations (pkgs.xorg.${name} or null)
    ++ builtins.concatMap (
      s:
      let found = builtins.match s.match name;
      in if found == null then [ ] else derivations (s.from.${builtins.head found} or null)
    ) inSets;

  start =
    derivations (config.environment.systemPackages or [ ])
    ++ derivations (try null (config.boot.kernelPackages.kernel or null))
    ++ derivations (pkgs.stdenv.cc.cc or null)
    ++ derivations (try [ ] (config.hardware.firmware or [ ]))
    ++ derivations (try [ ] (config.fonts.packages or [ ]))
    ++ builtins.concatMap called names;

  node = package: try [ ] (builtins.seq package.drvPath [ { key = builtins.unsafeDiscardStringContext package.drvPath; inherit package; } ]);
  nodes = builtins.concatMap node;
  inputs = package: derivations (package.buildInputs or [ ]) ++ derivations (package.propagatedBuildInputs or [ ]);
  all = builtins.genericClosure {
    startSet = nodes start;
    operator = n: nodes (inputs n.package);
  };

  text = value: if builtins.isString value then builtins.unsafeDiscardStringContext value else null;
  licence =
    l:
    if builtins.isAttrs l then
      {
        spdx = text (l.spdxId or null);
        name = text (l.fullName or l.shortName or null);
        url = text (l.url or null);
      }
    else
      {
        spdx = null;
        name = text l;
        url = null;
      };
  list = value: if builtins.isList value then value else if value == null then [ ] else [ value ];
  first = values: if values == [ ] then null else builtins.head values;

  about =
    package:
    let
      meta = try { } (package.meta or { });
      parsed = builtins.parseDrvName (package.name or "");
    in
    {
      name = tryAll null (text (package.pname or parsed.name));
      version = tryAll null (text (package.version or parsed.version));
      licences = tryAll [ ] (map licence (list (meta.license or null)));
      homepage = tryAll null (text (first (list (meta.homepage or null))));
      cpe = tryAll null (text (meta.identifiers.cpe or null));
    };

  outputs =
    n:
    let
      outputNames = try [ ] (n.package.outputs or [ "out" ]);
      known = about n.package;
    in
    builtins.filter (o: wanted ? ${o.name}) (
      builtins.concatMap (
        output:
        try [ ] (
          let path = baseNameOf (builtins.unsafeDiscardStringContext n.package.${output}.outPath);
          in builtins.seq path [ { name = path; value = known; } ]
        )
      ) outputNames
    );
in
builtins.listToAttrs (builtins.concatMap outputs all)
