# lib: as much of nixpkgs' module system as the modules here and those of livebuild use.
#
# Unlike there, every set is merged as if it were declared by options of its own, and
# an option has no type: lists are concatenated, sets merged, other values must agree.
rec {
  inherit (builtins) mapAttrs;

  mkOption = option: option // { _type = "option"; };

  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkForce = mkOverride 50;
  mkImageMediaOverride = mkOverride 60;
  mkDefault = mkOverride 1000;
  mkOptionDefault = mkOverride 1500;

  mkOrder = order: content: {
    _type = "order";
    inherit order content;
  };
  mkAfter = mkOrder 1500;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };

  makeBinPath = packages: builtins.concatStringsSep ":" (map (p: "${p}/bin") packages);

  optional = condition: value: if condition then [ value ] else [ ];
  filterAttrs =
    keep: set:
    builtins.removeAttrs set (builtins.filter (n: !(keep n set.${n})) (builtins.attrNames set));
  hasInfix = part: text: builtins.length (builtins.split (escapeRegex part) text) > 1;
  escapeRegex = builtins.replaceStrings [ "." ] [ "[.]" ];

  # The definitions that a value stands for: { priority; order; value; }.
  discharge =
    value:
    let
      kind = if builtins.isAttrs value then value._type or null else null;
    in
    if kind == "merge" then
      builtins.concatMap discharge value.contents
    else if kind == "if" then
      if value.condition then discharge value.content else [ ]
    else if kind == "override" then
      map (d: d // { inherit (value) priority; }) (discharge value.content)
    else if kind == "order" then
      map (d: d // { inherit (value) order; }) (discharge value.content)
    else
      [
        {
          priority = 100;
          order = 1000;
          inherit value;
        }
      ];

  # Those of the strongest priority.
  strongest =
    definitions:
    let
      least = builtins.foldl' (a: d: if d.priority < a then d.priority else a) 9999 definitions;
    in
    builtins.filter (d: d.priority == least) definitions;

  isTree = v: builtins.isAttrs v && !(v ? _type) && v.type or null != "derivation";

  merge =
    path: values:
    let
      kept = strongest (builtins.concatMap discharge values);
      sorted = map (d: d.value) (builtins.sort (a: b: a.order < b.order) kept);
      first = builtins.head sorted;
    in
    if builtins.all isTree sorted then
      mapAttrs (name: merge (path ++ [ name ])) (builtins.zipAttrsWith (_: vs: vs) sorted)
    else if builtins.all builtins.isList sorted then
      builtins.concatLists sorted
    else if builtins.all (v: v == first) sorted then
      first
    else
      throw "The option `${builtins.concatStringsSep "." path}' has conflicting definition values";

  # leaves FUNCTION OPTIONS: a set of the same shape with FUNCTION PATH OPTION for each option.
  leaves =
    f:
    let
      go = path: mapAttrs (n: o: if o._type or null == "option" then f (path ++ [ n ]) o else go (path ++ [ n ]) o);
    in
    go [ ];

  # at PATH SET: the value there, in a list that is empty if there is none.
  at =
    path: set:
    builtins.foldl' (found: name: builtins.concatMap (v: if isTree v && v ? ${name} then [ v.${name} ] else [ ]) found) [
      set
    ] path;

  # What all MODULES say, each of which is called with ARGUMENTS, config and options.
  evalModules =
    { modules, arguments }:
    let
      called = arguments // {
        inherit config options;
      };

      # A module, and before it what it imports.
      load =
        module:
        let
          isFile = builtins.isPath module || builtins.isString module;
          imported = if isFile then import module else module;
          set = if builtins.isFunction imported then imported called else imported;
          explicit = set ? config || set ? options;
        in
        builtins.concatMap load (set.imports or [ ])
        ++ [
          {
            file = set._file or (if isFile then toString module else "<unknown-file>");
            config =
              if explicit then
                set.config or { }
              else
                builtins.removeAttrs set [
                  "_file"
                  "imports"
                ];
            options = set.options or { };
          }
        ];

      # A file counts once.
      loaded = builtins.foldl' (
        sofar: m:
        if m.file != "<unknown-file>" && builtins.any (other: other.file == m.file) sofar then sofar else sofar ++ [ m ]
      ) [ ] (builtins.concatMap load modules);

      declared = merge [ ] (map (m: m.options) loaded);
      declaredTree = leaves (_: o: o) declared;

      defaults = leaves (_: o: mkOptionDefault o.default) declaredTree;
      merged = merge [ ] ([ defaults ] ++ map (m: m.config) loaded);

      applied =
        os: values:
        mapAttrs (
          n: v:
          if !(os ? ${n}) then
            v
          else if os.${n}._type or null == "option" then
            (os.${n}.apply or (x: x)) v
          else
            applied os.${n} v
        ) values;

      config = applied declaredTree merged;
      options = leaves (
        path: o:
        o
        // {
          definitionsWithLocations = builtins.concatMap (
            m:
            map (d: {
              inherit (m) file;
              inherit (d) value;
            }) (builtins.concatMap discharge (builtins.concatMap (c: at path c.value) (discharge m.config)))
          ) loaded;
        }
      ) declaredTree;
    in
    {
      inherit config options;
    };
}
