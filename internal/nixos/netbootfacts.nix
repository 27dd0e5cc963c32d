# Every fact that planning, building and writing the files of a network boot needs, of a
# configuration with nixpkgs' netboot module: those of facts.nix that have a meaning.
{
  # The configuration, as lib.nixosSystem returns it.
  base,
  name,
  # Whether livebuild has made it live.
  extended,
  # Whether stage 1 was given a unit for what is stamped.
  stampUnit,
  # Whether programs that start it by kexec are wanted.
  kexec,
  # The other files here.
  files,
}:
let
  cfg = base.config;
  pkgs = base.pkgs;
  host = pkgs.stdenv.hostPlatform;
  build = pkgs.stdenv.buildPlatform or host;

  toplevel = cfg.system.build.toplevel;

  configuration = {
    path = [ ];
    toplevel = {
      drv = toplevel.drvPath;
      out = toplevel.outPath;
    };
    kernel = "${cfg.boot.kernelPackages.kernel}/${cfg.system.boot.loader.kernelFile}";
    kernelVersion = files.version cfg.boot.kernelPackages.kernel;
    initrd = "${cfg.system.build.initialRamdisk}/${cfg.system.boot.loader.initrdFile}";
    # The ISO module has stage 1 look for the medium.
    kernelParams = builtins.filter (p: !(cfg ? isoImage && p == "root=LABEL=${cfg.isoImage.volumeID}")) (
      map toString cfg.boot.kernelParams
    );
    distroName = cfg.system.nixos.distroName or "NixOS";
    label = cfg.system.nixos.label;
    showConfiguration = true;
    volumeID = "";
  };

  storeContents =
    let
      roots = map (x: "${x}") (cfg.netboot.storeContents ++ (cfg.isoImage.storeContents or [ ]));
    in
    # Each once, in their order.
    builtins.foldl' (all: root: if builtins.elem root all then all else all ++ [ root ]) [ ] roots;

  # For whatever system is there to start this one: linked statically.
  static = pkgs.pkgsStatic or { };
  available =
    package: (pkgs.lib.meta.availableOn or (_: _: true)) host package && !(package.meta.broken or false);
  lacks = builtins.filter (name: kexec && !(static ? ${name} && available static.${name})) [
    "kexec-tools"
    "busybox"
  ];
  tools =
    if kexec && lacks == [ ] then
      {
        kexec = "${static.kexec-tools}/bin/kexec";
        busybox = "${static.busybox}/bin/busybox";
        # It does not link with iptables.
        ip =
          if static ? iproute2 && available static.iproute2 then
            "${(static.iproute2.override or (_: static.iproute2)) { iptables = null; }}/bin/ip"
          else
            "";
      }
    else
      null;

  needed = files.needed (
    [
      "${toplevel}"
      configuration.kernel
      configuration.initrd
    ]
    ++ configuration.kernelParams
    ++ storeContents
    ++ (if tools == null then [ ] else builtins.attrValues tools)
  );

  kind = if kexec then "kexec" else "netboot";
  hostName = cfg.networking.hostName or "";
in
{
  inherit lacks;
  clashes = [ ];
  system = {
    inherit name extended hostName stampUnit;
    inherit (builtins) storeDir;
    netboot = true;
    platform = host.system;
    buildPlatform = build.system;
    isX86 = host.isx86 or (builtins.match "(x86_64|i[3-6]86)-.*" host.system != null);
    distroID = cfg.system.nixos.distroId or "nixos";
    distroName = cfg.system.nixos.distroName or "NixOS";
    label = cfg.system.nixos.label;
    release = cfg.system.nixos.release or "";
    variantID = cfg.system.nixos.variant_id or null;

    imageName = "${cfg.system.nixos.distroId or "nixos"}-${kind}-${cfg.system.nixos.label}-${host.system}";
    kernelFile = cfg.system.boot.loader.kernelFile;
    squashfsCompression =
      if cfg.netboot.squashfsCompression == "none" then null else cfg.netboot.squashfsCompression;

    systemdInitrd = cfg.boot.initrd.systemd.enable or false;
    configurations = [ configuration ];
    inherit storeContents;
    inherit (needed) realise sources;
    kexecTools = tools;
    sshServer = cfg.services.openssh.enable or false;
    warnings = cfg.warnings or [ ];
  };
}
