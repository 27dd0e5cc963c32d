# system.build.toplevel: the root of a system's closure, with the lists its second stage checks.
{ pkgs, config, roots }:
let
  failed = builtins.filter (a: !a.assertion) config.assertions;
  messages = builtins.concatStringsSep "\n" (map (a: "- ${a.message}") failed);

  kernel = config.boot.kernelPackages.kernel;
  initrd = config.system.build.initialRamdisk;
  children = builtins.mapAttrs (_: s: s.configuration.system.build.toplevel) config.specialisation;
  direct = [ pkgs.busybox pkgs.check kernel initrd ] ++ roots ++ builtins.attrValues children;

  installer = config.systemd.services.livebuild-install.serviceConfig.ExecStart or null;

  toplevel = pkgs.build "nixos-system-${config.networking.hostName}-${config.system.nixos.label}" {
    # The files that Nix writes for this have one record for each path of the closure:
    # the path, an empty line, the number of references, the references.
    exportReferencesGraph = builtins.concatLists (
      builtins.genList (i: [ "graph-${toString i}" (builtins.elemAt direct i) ]) (builtins.length direct)
    );
    kernelParams = toString config.boot.kernelParams;
    label = config.system.nixos.label;
    platform = pkgs.system;
    # What systemd would start where the kernel's command line says so.
    ${if installer == null then null else "installer"} = installer;
  } ''
    mkdir $out
    ln -s ${pkgs.check}/bin/stage2 $out/init
    ln -s ${pkgs.busybox} $out/sw
    ln -s ${kernel}/${config.system.boot.loader.kernelFile} $out/kernel
    ln -s ${initrd}/${config.system.boot.loader.initrdFile} $out/initrd
    printf %s "$kernelParams" > $out/kernel-params
    printf %s "$label" > $out/nixos-version
    printf %s "$platform" > $out/system
    mkdir $out/specialisation $out/roots
    ${builtins.concatStringsSep "\n" (
      map (name: "ln -s ${children.${name}} $out/specialisation/${name}") (builtins.attrNames children)
    )}
    [ -z "''${installer-}" ] || printf %s "$installer" > $out/installer
    for root in ${toString roots}; do ln -s $root $out/roots/; done

    # references: "PATH REFERENCE" for each reference of each path but this one.
    # closure: all paths, this one too.
    cat graph-* | awk '
      left > 0 { print "reference", path, $0; left--; next }
      step == 0 { path = $0; print "path", path; step = 1; next }
      step == 1 { step = 2; next }
      { left = $0; step = 0 }' | sort -u > records
    sed -n 's/^reference //p' records > $out/references
    { sed -n 's/^path //p' records; echo $out; } | sort > $out/closure

    # The one file that the manifest cannot hold is itself. Nix gives this path
    # its final modes after the builder has ended: too late for the listing.
    find $out -type f -exec chmod 444 {} +
    find $out -type d -exec chmod 555 {} +
    # The listing is made by the builder's own busybox.
    sed 's|${pkgs.busybox}|${pkgs.buildPackages.busybox}|g' ${pkgs.check}/bin/manifest > list
    # Nor has an archive the modes of directories: copied by Nix, they are 555.
    xargs sh list $out/manifest < $out/closure | sed 's/^d [0-7]* /d 555 /' > manifest
    chmod 755 $out
    mv manifest $out/manifest
  '';
in
if failed == [ ] then toplevel else throw "\nFailed assertions:\n${messages}"
