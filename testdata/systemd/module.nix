# A NixOS module, for 'livebuild --module', that makes a live system of the mini flake one with
# systemd in both stages, made of what make-tree.sh laid out beside it.
#
# The first stage is what nixpkgs' initrd of systemd is to a module: the units of
# boot.initrd.systemd.services, which are written as there, the store paths of
# boot.initrd.systemd.storePaths, and the mounts of the ISO module, by the fstab generator.
# What it starts is a system of systemd whose root was filled by a unit, too.
{
  lib,
  config,
  pkgs,
  ...
}:
let
  option = default: lib.mkOption { inherit default; };
  tree = builtins.path {
    name = "systemd-tree";
    path = ./tree;
  };
  modulesTree = builtins.path {
    name = "linux-modules";
    path = ./modules;
  };
  initrd = config.boot.initrd.systemd;

  # serviceToUnit of nixpkgs, as far as modules of livebuild go.
  lines =
    name: value:
    if builtins.isList value then builtins.concatStringsSep "" (map (lines name) value)
    else "${name}=${if value == true then "true" else if value == false then "false" else toString value}\n";
  section = title: settings: "[${title}]\n" + builtins.concatStringsSep "" (builtins.attrValues (builtins.mapAttrs lines settings));
  words = name: s: if (s.${name} or [ ]) == [ ] then "" else "${unitName.${name}}=${toString s.${name}}\n";
  unitName = {
    after = "After";
    before = "Before";
    conflicts = "Conflicts";
    requires = "Requires";
    wants = "Wants";
    bindsTo = "BindsTo";
    partOf = "PartOf";
  };
  unit =
    name: s:
    section "Unit" ({ Description = s.description or name; } // s.unitConfig or { })
    + builtins.concatStringsSep "" (map (n: words n s) (builtins.attrNames unitName))
    + "\n"
    + section "Service" ((if s ? script then { ExecStart = "/etc/scripts/${name}"; } else { }) // s.serviceConfig or { });

  # install NAME SERVICE: the commands that put a unit into etc/systemd/system of the folder $root.
  install = name: s: ''
    units=$root/etc/systemd/system
    cat > $units/${name}.service << 'END OF UNIT'
    ${unit name s}
    END OF UNIT
    sed -i 's/^    //' $units/${name}.service
    cat > $root/etc/scripts/${name} << 'END OF SCRIPT'
    #!/bin/sh -e
    ${s.script or ""}
    END OF SCRIPT
    sed -i '1s/^ *//' $root/etc/scripts/${name}
    chmod 755 $root/etc/scripts/${name}
    for target in ${toString (s.wantedBy or [ ])}; do
      mkdir -p "$units/$target.wants"
      ln -s ../${name}.service "$units/$target.wants/"
    done
    for target in ${builtins.concatStringsSep " " (map (t: "'${t}'") (s.requiredBy or [ ]))}; do
      mkdir -p "$units/$target.requires"
      ln -s ../${name}.service "$units/$target.requires/"
    done
  '';
  installAll = services: builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs install services));

  # The mounts of nixpkgs' ISO module, or its netboot module, as it writes them for the first stage (fstab(5)).
  isISO = config ? isoImage;
  fstab = ''
    tmpfs / tmpfs x-initrd.mount,mode=0755 0 0
    ${
      if isISO then
        ''
          ${config.fileSystems."/iso".device} /iso iso9660 x-initrd.mount,ro 0 0
          /sysroot/iso/nix-store.squashfs /nix/.ro-store squashfs x-initrd.mount,loop 0 0
        ''
      else
        "../nix-store.squashfs /nix/.ro-store squashfs x-initrd.mount,loop 0 0"
    }
    tmpfs /nix/.rw-store tmpfs x-initrd.mount,mode=0755 0 0
    overlay /nix/store overlay x-initrd.mount,lowerdir=/sysroot/nix/.ro-store,upperdir=/sysroot/nix/.rw-store/store,workdir=/sysroot/nix/.rw-store/work,x-systemd.requires-mounts-for=/sysroot/nix/.ro-store,x-systemd.requires-mounts-for=/sysroot/nix/.rw-store,x-systemd.requires=overlay-folders.service 0 0
  '';

  ownServices = {
    overlay-folders = {
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = "/sysroot/nix/.rw-store";
      };
      before = [ "sysroot-nix-store.mount" ];
      serviceConfig.Type = "oneshot";
      script = "mkdir -p /sysroot/nix/.rw-store/store /sysroot/nix/.rw-store/work";
    };
    # In the place of initrd-nixos-activation.
    activation = {
      unitConfig.DefaultDependencies = false;
      after = [ "initrd-fs.target" ];
      before = [ "initrd.target" ];
      requiredBy = [ "initrd.target" ];
      serviceConfig.Type = "oneshot";
      script = ''
        cd /sysroot
        # What a stick has kept is there already.
        for name in bin sbin lib lib64; do ln -sfn usr/$name $name; done
        mkdir -p usr run root proc sys dev tmp var/lib var/log home
        mount --bind nix/store/${baseNameOf tree}/usr usr
        cp -R --remove-destination nix/store/${baseNameOf stage2}/etc .
        chmod -R u+w etc
        # Where systems of NixOS have their programs.
        mkdir -p /run/current-system
        ln -s /usr /run/current-system/sw
      '';
    };
  };

  # What the configuration of a live system has its stage 1 load: no file system but the medium's.
  bootModules = let
    names = [
      "autofs4" "efivarfs" "isofs" "loop" "overlay" "squashfs" "virtio_pci" "virtio_blk" "virtio_scsi"
      "ahci" "ata_piix" "sd_mod" "sr_mod" "xhci_pci" "usb_storage" "uas"
    ] ++ config.boot.initrd.kernelModules;
  in
  pkgs.makeModulesClosure {
    # What ext4 asks for without depending on it; nixpkgs' function finds such modules itself.
    rootModules = names ++ config.boot.initrd.availableKernelModules ++ [ "crc32c_generic" ];
    kernel = config.system.modulesTree;
    firmware = [ ];
    allowMissing = true;
  } // { inherit names; };

  stage1 = pkgs.build "initrd-systemd" { storePaths = map toString initrd.storePaths; inherit fstab; } ''
    root=$NIX_BUILD_TOP/root
    cp -R ${tree} $root
    chmod -R u+w $root
    cp -R ${bootModules}/lib/modules $root/usr/lib/modules
    mkdir -p $root/etc/systemd/system $root/etc/scripts $root/etc/modules-load.d $root/tmp $root/sysroot $root/nix/store
    ln -s usr/lib/systemd/systemd $root/init
    ln -sf ../usr/lib/os-release $root/etc/initrd-release
    printf '%s\n' ${toString bootModules.names} > $root/etc/modules-load.d/boot.conf
    printf %s "$fstab" > $root/etc/initrd-fstab
    printf '[Manager]\nManagerEnvironment=SYSTEMD_SYSROOT_FSTAB=/etc/initrd-fstab\nDefaultEnvironment=PATH=/bin:/sbin\n' > $root/etc/systemd/system.conf
    rm -f $root/usr/lib/systemd/system-generators/systemd-gpt-auto-generator
    for path in $storePaths; do
      mkdir -p "$root$(dirname "$path")"
      cp -R "$path" "$root$path"
    done
    # The modprobe of kmod reads what depmod of kmod writes, and not what busybox does.
    chmod -R u+w $root
    libraries=${tree}/usr/lib/x86_64-linux-gnu
    for base in $root $root/nix/store/*; do
      [ ! -d $base/lib/modules ] || $libraries/ld-linux-x86-64.so.2 --argv0 depmod --library-path $libraries ${tree}/usr/bin/kmod -b $base "$(ls $base/lib/modules)"
    done
    ${installAll (ownServices // initrd.services)}
    for name in ${toString (builtins.attrNames initrd.extraBin)}; do
      [ -x $root/usr/bin/$name ] || [ -x $root/usr/sbin/$name ]
    done
    mkdir -p $out
    cd $root
    find . -exec touch -h -d @1 {} +
    find . | sort | cpio -o -H newc -R 0:0 --ignore-devno --renumber-inodes | gzip -1n > $out/initrd
  '';

  # What the second stage says of itself on the console, for tests.
  report = {
    wantedBy = [ "multi-user.target" ];
    after = [ "livebuild-stamp-run.service" ];
    before = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      StandardOutput = "journal+console";
    };
    script = ''
      echo "JUDGE-HOSTNAME $(cat /proc/sys/kernel/hostname)"
      echo "JUDGE-ISO $(findmnt -n -o SOURCE,FSTYPE /iso)"
      echo "JUDGE-LOOPS $(losetup -n -O NAME,RO,BACK-FILE --list 2>&1 | tr -s ' ' | tr '\n' ';')"
      echo "JUDGE-CMDLINE $(cat /proc/cmdline)"
      echo "JUDGE-CARRIER $(findmnt -n -o SOURCE,FSTYPE,OPTIONS /run/livebuild/carrier)"
      failed=$(systemctl --failed --plain --no-legend | tr '\n' ';')
      echo "JUDGE-FAILED ''${failed:-nothing}"
      for file in /root/.ssh/authorized_keys /etc/ssh/authorized_keys.d/root /run/livebuild/stamp/apply; do
        [ ! -e $file ] || echo "JUDGE-FILE $(stat -c '%a %n' $file)"
      done
      ${config.judge.report}
    '';
  };

  stage2 = pkgs.build "systemd-etc" { } ''
    root=$out
    mkdir -p $root
    cp -R ${tree}/etc $root/etc
    chmod -R u+w $root
    mkdir -p $root/etc/systemd/system $root/etc/scripts
    rm -f $root/etc/os-release
    cp ${tree}/usr/lib/os-release $root/etc/os-release
    ln -s /dev/null $root/etc/systemd/system/systemd-firstboot.service
    ${installAll (lib.filterAttrs (_: s: s ? script) config.systemd.services // { inherit report; } // config.judge.services)}
  '';
in
{
  _file = "a system of systemd, to judge by";

  options = {
    boot.initrd.kernelModules = option [ ];
    boot.initrd.systemd.services = option { };
    boot.initrd.systemd.storePaths = option [ ];
    # The programs are those of the tree, which has to have them.
    boot.initrd.systemd.extraBin = option { };
    boot.initrd.systemd.package.util-linux = option (
      pkgs.build "util-linux" { } ''
        mkdir -p $out/bin
        cp ${tree}/usr/sbin/losetup $out/bin
      ''
    );
    hardware.firmware = option [ ];
    system.modulesTree = option modulesTree;
    # Commands, and units by the names of nixpkgs' options, of the second stage.
    judge.report = option "";
    judge.services = option { };
  };

  config = {
    boot.initrd.systemd.enable = lib.mkForce true;
    boot.initrd.postMountCommands = lib.mkForce "";
    boot.loader.timeout = lib.mkForce 1;
    boot.kernelParams = lib.mkForce [
      "root=fstab"
      "console=ttyS0,115200n8"
      "systemd.show_status=true"
      "systemd.gpt_auto=no"
      "loglevel=4"
    ];
    # With what nixpkgs' options say of each by themselves.
    fileSystems = lib.mkForce (
      builtins.mapAttrs (mountPoint: fs: fs // { inherit mountPoint; neededForBoot = true; }) ({
        "/" = { fsType = "tmpfs"; device = "tmpfs"; };
        "/nix/.ro-store" = { fsType = "squashfs"; device = if isISO then "/sysroot/iso/nix-store.squashfs" else "../nix-store.squashfs"; };
        "/nix/.rw-store" = { fsType = "tmpfs"; device = "tmpfs"; };
        "/nix/store" = { fsType = "overlay"; device = "overlay"; };
      } // (if isISO then {
        "/iso" = { fsType = "iso9660"; device = "/dev/disk/by-label/${config.isoImage.volumeID}"; };
      } else { }))
    );
    system.build.initialRamdisk = stage1;
    system.build.toplevel = pkgs.build "nixos-system-judge" { } ''
      mkdir -p $out/roots
      for root in ${toString config.environment.systemPackages}; do ln -s $root $out/roots/; done
      ln -s ${tree}/usr/lib/systemd/systemd $out/init
      ln -s ${stage2} $out/etc
      ln -s ${pkgs.kernel} $out/kernel
    '';
  };
}
