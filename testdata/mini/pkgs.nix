# The packages that a configuration names or a medium is made from, laid out as in nixpkgs.
{
  system,
  # What the builders run on: another one for what is cross-compiled.
  buildSystem ? system,
}:
let
  # Outside of the flake: with its sum, what is in the store is not read again.
  sources = import ./debian.nix;

  debianFor =
    system:
    let
      # Any will do for a system that nobody has.
      arch = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system} or "amd64";
    in
    if sources ? ${arch} then
      builtins.fetchTarball (sources.${arch} // { name = "debian-${arch}"; })
    else
      throw "nothing of Debian for ${arch} is here: assemble this flake with make-flake.sh DIR CACHE ${arch}";

  debian = debianFor system;

  # Of x86_64 alone.
  toolsOf =
    if sources ? tools then
      builtins.fetchurl (sources.tools // { name = "debian-tools.tar.xz"; })
    else
      throw "Debian's tools are missing: assemble this flake with make-flake.sh DIR CACHE amd64";

  buildPackages =
    if buildSystem == system then { inherit busybox grub2_efi qemu; } else import ./pkgs.nix { system = buildSystem; };

  script = file: builtins.path { name = baseNameOf file; path = file; };

  # The sandbox has no /bin/sh: the first builder is busybox, which goes by its file name.
  busybox = derivation {
    name = "mini-busybox-1.35";
    system = buildSystem;
    builder = "${debianFor buildSystem}/bin/busybox";
    args = [
      "sh"
      "-euc"
      ''
        b=${debianFor buildSystem}/bin/busybox
        $b mkdir -p $out/bin
        $b cp ${debian}/bin/busybox $out/bin/busybox
        for applet in $($b --list); do
          [ $applet = busybox ] || $b ln -s busybox $out/bin/$applet
        done
      ''
    ];
  };

  # build NAME ENVIRONMENT SCRIPT: a derivation whose builder is a shell script.
  build =
    name: environment: text:
    derivation (
      {
        inherit name;
        system = buildSystem;
        builder = "${buildPackages.busybox}/bin/sh";
        args = [ "-euc" text ];
        PATH = "${buildPackages.busybox}/bin";
        LC_ALL = "C";
      }
      // environment
    );

  platforms = {
    x86_64-linux = {
      inherit system;
      isx86 = true;
      isx86_64 = true;
      isi686 = false;
      isAarch64 = false;
      efiArch = "x64";
      linuxArch = "x86_64";
      linux-kernel.target = "bzImage";
      uname.processor = "x86_64";
    };
    aarch64-linux = {
      inherit system;
      isx86 = false;
      isx86_64 = false;
      isi686 = false;
      isAarch64 = true;
      efiArch = "aa64";
      linuxArch = "arm64";
      linux-kernel.target = "Image";
      uname.processor = "aarch64";
    };
  };
  platform = platforms.${system} or (platforms.x86_64-linux // { inherit system; });

  # bin/grub-mkimage brings its own dynamic linker and libraries: it runs on any host.
  grubOf =
    name: target:
    build name { } ''
      cp -R ${debian}/grub $out
      chmod -R u+w $out
      mv $out/bin/grub-mkimage $out/libexec/grub-mkimage
      echo '#!${busybox}/bin/sh' > $out/bin/grub-mkimage
      echo "exec $out/libexec/ld.so --library-path $out/libexec $out/libexec/grub-mkimage \"\$@\"" >> $out/bin/grub-mkimage
      chmod 755 $out/bin/grub-mkimage $out/libexec/ld.so $out/libexec/grub-mkimage
    ''
    // {
      grubTarget = target;
    };
  # Stands in for nixpkgs' QEMU: the host's, by its absolute path.
  qemu = build "qemu-host" { } ''
    mkdir -p $out/bin
    for arch in x86_64 aarch64; do
      printf '#!%s\nexec /usr/bin/qemu-system-%s "$@"\n' ${buildPackages.busybox}/bin/sh $arch > $out/bin/qemu-system-$arch
    done
    chmod 755 $out/bin/*
  '';

  grub2_efi = grubOf "grub-2.06" (if platform.isx86 then "x86_64-efi" else "arm64-efi");
in
rec {
  inherit
    system
    build
    busybox
    buildPackages
    grub2_efi
    qemu
    ;

  # What an evaluation fetches: with these in its store a system evaluates itself without a network.
  fetched = [
    debian
    toolsOf
  ];

  # What a system is installed with, of Debian: programs that bring their dynamic linker and
  # their libraries, each as nixpkgs calls its package.
  tools = build "mini-tools" { } ''
    mkdir -p $out/bin
    xz -dc ${toolsOf} | tar -x -C $out
    chmod 755 $out/lib/ld.so $out/libexec/*
    while read -r name program; do
      {
        echo '#!${busybox}/bin/sh'
        echo "export MKE2FS_CONFIG=$out/share/mke2fs.conf GCONV_PATH=$out/share"
        echo "exec $out/lib/ld.so --argv0 $name --library-path $out/lib $out/libexec/$program \"\$@\""
      } > $out/bin/$name
      chmod 755 $out/bin/$name
    done < $out/names
    rm $out/names
  '';
  nix = tools;
  jq = tools;
  util-linux = tools;
  coreutils = tools;
  dosfstools = tools;
  gnugrep = busybox;
  gnused = busybox;
  nixos-install-tools = build "mini-nixos-install-tools" { } ''
    mkdir -p $out/bin
    for name in nixos-install nixos-enter; do
      case $name in
        nixos-install) source=${script ./install/nixos-install.sh} ;;
        nixos-enter) source=${script ./install/nixos-enter.sh} ;;
      esac
      sed "s|@bash@|${tools}|; s|@tools@|${tools}|g; s|@busybox@|${busybox}|g; s|@out@|$out|g" $source > $out/bin/$name
      chmod 755 $out/bin/$name
    done
  '';
  writeShellScriptBin =
    name: text:
    build name
      {
        text = "#!${tools}/bin/bash\n${text}";
        passAsFile = [ "text" ];
      }
      ''
        mkdir -p $out/bin
        cp $textPath $out/bin/${name}
        chmod 755 $out/bin/${name}
      '';

  # As in nixpkgs: this package set can be had for other platforms.
  path = ./.;
  overlays = [ ];

  stdenv = {
    hostPlatform = platform;
    buildPlatform = platforms.${buildSystem} or (platforms.x86_64-linux // { system = buildSystem; });
  };

  kernel = build "linux-6.1" { } ''
    mkdir $out
    cp ${debian}/boot/vmlinuz $out/${platform.linux-kernel.target}
    cp ${debian}/boot/config-* $out/
  '' // {
    version = "6.1";
    target = platform.linux-kernel.target;
  };

  # Sorted names, one time stamp, owner root: the archive is a function of its content.
  initrd = initrdWith { };

  # What a configuration adds runs where nixpkgs' stage 1 has it run.
  initrdWith =
    {
      extraUtilsCommands ? "",
      postDeviceCommands ? "",
      postMountCommands ? "",
      # The file of the initrd with the store, of a system that starts without a medium.
      storeFile ? "",
    }:
    build "initrd-linux-6.1"
      {
        inherit
          extraUtilsCommands
          postDeviceCommands
          postMountCommands
          storeFile
          ;
      }
      ''
    mkdir -p root/bin root/dev root/proc root/sys root/run $out
    cp ${debian}/bin/busybox root/bin/busybox
    cp -R ${debian}/lib root/lib
    chmod -R u+w root
    (cd root/lib/modules/* && depmod -b "$NIX_BUILD_TOP/root" "''${PWD##*/}")
    sed 's/#.*//; /^ *$/d' ${script ./modules.list} > root/modules.list
    cp ${script ./stage1.sh} root/init
    chmod 755 root/init
    copy_bin_and_libs() {
      cp $1 root/bin/
      mkdir -p root/libexec
      cp -R ''${1%/*bin/*}/libexec/. root/libexec/
      chmod -R u+w root/libexec
    }
    (out=root; eval "$extraUtilsCommands")
    [ -z "$postDeviceCommands" ] || printf %s "$postDeviceCommands" > root/post-device
    [ -z "$postMountCommands" ] || printf %s "$postMountCommands" > root/post-mount
    [ -z "$storeFile" ] || printf %s "$storeFile" > root/store-file
    cd root
    find . -exec touch -h -d @1 {} +
    find . | sort | cpio -o -H newc -R 0:0 --ignore-devno --renumber-inodes | gzip -9n > $out/initrd
  '';

  # Some kernel modules and what they depend on, as in nixpkgs.
  makeModulesClosure =
    {
      rootModules,
      kernel,
      firmware,
      allowMissing ? false,
    }:
    build "linux-modules" { rootModules = toString rootModules; inherit allowMissing; } ''
      version=$(ls ${kernel}/lib/modules)
      to=$out/lib/modules/$version
      mkdir -p "$to"
      cd ${kernel}/lib/modules/$version
      add() {
        file=$(find . -name "$(echo "$1" | sed 's/[-_]/[-_]/g').ko" | head -n 1)
        [ -n "$file" ] || return 1
        [ ! -e "$to/$file" ] || return 0
        mkdir -p "$to/$(dirname "$file")"
        cp "$file" "$to/$file"
        for needed in $(tr '\0' '\n' < "$file" | sed -n 's/^depends=//p' | tr ',' ' '); do add "$needed"; done
      }
      for name in $rootModules; do
        add "$name" || [ -n "$allowMissing" ] || grep -q "/$(echo "$name" | sed 's/[-_]/[-_]/g').ko" modules.builtin || exit 1
      done
      depmod -b "$out" "$version"
    '';

  # Debian's: in sbin with its own dynamic linker and libraries, for an initrd; in bin as the
  # tools of installers have it.
  e2fsprogs = build "e2fsprogs-1.47" { } ''
    mkdir -p $out/sbin $out/libexec
    ln -s ${tools}/bin $out/bin
    cp -R ${debian}/e2fsprogs $out/libexec/e2fsprogs
    chmod -R u+w $out/libexec
    for program in mke2fs e2fsck; do
      echo '#!/bin/sh' > $out/sbin/$program
      echo "exec /libexec/e2fsprogs/ld-linux --library-path /libexec/e2fsprogs /libexec/e2fsprogs/$program \"\$@\"" >> $out/sbin/$program
      chmod 755 $out/sbin/$program
    done
    mv $out/libexec/e2fsprogs/ld.so $out/libexec/e2fsprogs/ld-linux
    chmod 755 $out/libexec/e2fsprogs/*
  '';

  # Debian's, with its own dynamic linker and libraries, for an initrd.
  cryptsetup = build "cryptsetup-2.6" { } ''
    to=$out/libexec/cryptsetup
    mkdir -p $out/bin $to
    cp ${tools}/lib/ld.so $to/ld-linux
    cp ${tools}/libexec/cryptsetup $to/cryptsetup
    ${tools}/lib/ld.so --library-path ${tools}/lib --list $to/cryptsetup | sed -n 's/^.* => \(\/[^ ]*\) .*$/\1/p' | while read -r library; do
      cp "$library" $to/
    done
    echo '#!/bin/sh' > $out/bin/cryptsetup
    echo 'exec /libexec/cryptsetup/ld-linux --library-path /libexec/cryptsetup /libexec/cryptsetup/cryptsetup "$@"' >> $out/bin/cryptsetup
    chmod 755 $out/bin/cryptsetup $to/*
  '';

  # The second stage and the listing it checks the store with.
  check = build "mini-check" { } ''
    mkdir -p $out/bin
    for name in stage2 manifest; do
      case $name in
        stage2) source=${script ./stage2.sh} ;;
        manifest) source=${script ./manifest.sh} ;;
      esac
      sed "s|@busybox@|${busybox}|g; s|@out@|$out|g" $source > $out/bin/$name
      chmod 755 $out/bin/$name
    done
  '';

  # A theme in the shape of nixos-grub2-theme: theme.txt and fonts.
  grubTheme = build "mini-grub-theme" { } ''
    mkdir -p $out/icons
    cp ${grub2_efi}/share/grub/ascii.pf2 $out/ascii.pf2
    cat > $out/theme.txt << 'END'
    title-text: ""
    desktop-color: "#204060"
    + boot_menu { left = 10% top = 10% width = 80% height = 80% item_color = "#ffffff" selected_item_color = "#ffff00" }
    END
  '';

  # An 8 x 8 picture in PNG: splash screens are files of a few hundred kilobytes elsewhere.
  splash = build "mini-splash.png" { } ''
    base64 -d ${./splash.png.base64} > $out
  '';
}
// (
  if platform.isx86 then
    {
      syslinux = build "syslinux-6.04" { } ''
        mkdir -p $out/share
        cp -R ${debian}/syslinux $out/share/syslinux
      '';

      # Programs that run on whatever system is there. Debian's kexec brings its libraries along.
      pkgsStatic = {
        inherit busybox;
        kexec-tools = build "kexec-tools-2.0.25" { } ''
          mkdir -p $out/bin
          cp ${script ./kexec.sh} $out/bin/kexec
          chmod 755 $out/bin/kexec
          tar -c -C ${debian}/kexec . |
            gzip -9n | base64 >> $out/bin/kexec
        '';
      };

      # For 32-bit firmware on 64-bit processors; Debian has all modules in one tree here.
      pkgsi686Linux.grub2_efi = grubOf "grub-2.06-i686" "i386-efi";
    }
  else
    {
      # What hardware.deviceTree.package is made of.
      deviceTrees = build "device-trees" { } "cp -R ${debian}/dtbs $out";
    }
)
