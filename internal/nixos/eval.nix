# What a configuration says about its live image.
#
# A function of a flake's whole `nixosConfigurations` set, so that a wrong name,
# a failing assertion or a value that is no NixOS configuration can be answered
# with data. The set is forced to its attribute names only, then one of its
# values is read.
#
# The result is one of
#
#   { error = { kind = "…"; … }; }   why there is no image; Go has a type for each
#   { system = { … }; }              every fact needed to plan, build and write it
#
# It runs in pure mode and needs no builtin newer than Nix 2.4.

{
  # The attribute to read; null stands for the only one there is.
  name ? null,
  # Modules to add: files of the user, and what changes.nix makes of changes.
  modules ? [ ],
  changes ? { },
  # Whether a configuration without the ISO module is made live.
  extend ? true,
  # What is made of it: "iso", "netboot" or "kexec".
  form ? "iso",
  # The one of its image.modules to make the image with; null for none, or for "iso"
  # where the configuration lacks the ISO module.
  variant ? null,
  # The platform of the machine that builds; null if nothing is known of it.
  machine,
  # The other files here, by their names without extension.
  files,
}:

configurations:

let
  names = builtins.attrNames configurations;

  chosen =
    if name != null then
      name
    else if builtins.length names == 1 then
      builtins.head names
    else
      null;

  base = configurations.${chosen};

  # What else people keep in, or mistake for, a NixOS configuration.
  kindOf =
    value:
    if builtins.isFunction value then
      "a function"
    else if !builtins.isAttrs value then
      "a value of type ${builtins.typeOf value}"
    else if value ? activationPackage then
      "a home-manager configuration"
    else if (value.class or "") == "darwin" || value ? options.launchd then
      "a nix-darwin configuration"
    else if builtins.isString (value.class or null) && value.class != "nixos" then
      "a configuration of the class ${value.class}"
    else if (value.type or "") == "derivation" then
      "a derivation"
    else if value ? modules || value ? imports then
      "a set of modules without lib.nixosSystem around it"
    else
      "an attribute set without config.system.build.toplevel or without pkgs";

  # Cheap to know: a configuration is not evaluated for it, unless it lacks options.
  isModular =
    builtins.isAttrs base
    && base ? config
    && base ? pkgs
    && !(base ? activationPackage)
    && builtins.elem (base.class or null) [
      null
      "nixos"
    ]
    && !(base ? options.launchd);
  hasISOModule = value: if value ? options then value.options ? isoImage else value.config ? isoImage;

  # The configuration with the user's modules, then with the ISO module, too.
  withModules = if modules == [ ] then base else base.extendModules { inherit modules; };
  overNetwork = form != "iso";
  isLive = hasISOModule withModules || overNetwork && withModules ? options.netboot.storeContents;

  # Since 25.05 a configuration keeps settings for its images apart, for
  # system.build.images. Its variant "iso" is the ISO module and those for the image.
  hasVariants = withModules ? options.image.modules;
  variants = if hasVariants then withModules.config.image.modules else { };
  wanted = if variant == null && !isLive && !overNetwork then "iso" else variant;
  ofVariant = if wanted != null && variants ? ${wanted} then [ variants.${wanted} ] else [ ];

  changed =
    (if isLive then [ ] else [ files.portable ])
    ++ (
      if overNetwork then
        [
          (files.netboot {
            installed = !isLive;
            installer = form == "kexec";
          })
        ]
      else if isLive then
        [ ]
      else
        [ files.live ]
    )
    ++ ofVariant
    ++ (
      if asked == { } then [ ] else [ (files.changes (asked // { inherit files; installed = !isLive; })) ]
    )
    ++ (if stamp then [ files.stamp ] else [ ])
    ++ (if installer then [ (files.installer { script = files.livebuild-install; }) ] else [ ]);
  added = changed ++ (if loopback then [ files.loopback ] else [ ]);
  asked = builtins.removeAttrs changes (
    [
      "stamp"
      "loopback"
      "secureBoot"
      "install"
      "installer"
      "beside"
    ]
    ++ (if hasSharedID then [ "sharedVolumeID" ] else [ ])
  );
  # One that cannot be extended may have the medium's volume ID all the same.
  hasSharedID =
    changes ? sharedVolumeID && !extensible && base.config.isoImage.volumeID or null == changes.sharedVolumeID;

  # What the medium can install, of this flake.
  installs = map (t: files.install (t // { inherit configurations; })) (changes.install or [ ]);
  unfit = builtins.filter (t: t ? error) installs;

  # Of several systems on a medium one installs what it can; to another one it is a help.
  installer = (changes.installer or false) && (extensible || !(changes.beside or false) || installs != [ ]);
  # Helps, for which no configuration is refused.
  stamp = (changes.stamp or false) && extensible;
  # One that nothing is changed of otherwise, and whose stage 1 is scripted, stays as it is.
  loopback =
    (changes.loopback or false)
    && !overNetwork
    && extensible
    && (changed != [ ] || (withModules.config.boot.initrd.systemd.enable or false));
  extensible = base ? extendModules;
  final = if added == [ ] then withModules else withModules.extendModules { modules = added; };

  isNixOS = final ? config.system.build.toplevel && final ? pkgs.stdenv.hostPlatform;

  failed = map (a: a.message) (
    builtins.filter (a: !a.assertion) (final.config.assertions or [ ])
  );

  facts =
    if overNetwork then
      files.netbootfacts {
        inherit files;
        base = final;
        name = chosen;
        extended = !isLive;
        stampUnit = stamp;
        kexec = form == "kexec";
      }
    else
      files.facts {
        inherit files machine;
        base = final;
        name = chosen;
        extended = !isLive;
        mediaCheck = changes.mediaCheck or false;
        persistent = changes.persistent or "";
        stampUnit = stamp;
        loopbackUnit = loopback;
        secureBoot = changes.secureBoot or null;
      };

  refuse = kind: more: { error = more // { inherit kind; }; };
  refuseChosen = kind: more: refuse kind (more // { name = chosen; });
in

if names == [ ] then
  refuse "none" { }
else if chosen == null then
  refuse "several" { inherit names; }
else if !(configurations ? ${chosen}) then
  refuse "missing" { inherit names; }
else if !isModular then
  refuseChosen "not-nixos" { found = kindOf base; }
else if modules != [ ] && !extensible then
  refuseChosen "not-extensible" { reason = "modules"; }
else if variant != null && ofVariant == [ ] then
  refuseChosen "no-variant" { names = builtins.attrNames variants; }
else if !isLive && !extend then
  refuseChosen "no-iso-module" { }
else if added != [ ] && !extensible then
  refuseChosen "not-extensible" { 
    reason = if overNetwork then form else if isLive then "changes" else "iso-module";
  }
else if !isNixOS then
  refuseChosen "not-nixos" { found = kindOf final; }
else if failed != [ ] then
  refuseChosen "assertions" { messages = failed; }
else if facts.lacks or [ ] != [ ] then
  refuseChosen "no-static" { names = facts.lacks; }
else if facts.clashes != [ ] then
  refuseChosen "contents" { targets = facts.clashes; }
else if unfit != [ ] then
  { inherit (builtins.head unfit) error; }
else
  { system = facts.system // { install = map (t: t.target // { inherit (t) realise; }) installs; }; }
