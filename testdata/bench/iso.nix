# iso.nix: images of the corpus, in two ways: configurations that 'livebuild iso' takes, and
# derivations that make an image as nixpkgs' do (nixos/lib/make-iso9660-image.nix and .sh, 24.05 to
# 26.05): mksquashfs in the build, then xorriso, with the same flags in the same order.
{
  flake, # the mini flake, whose kernel, boot loaders and system the images have
  lists, # a folder with a.paths and b.paths, the closures
  tools, # a folder with the programs of each platform: x86_64-linux/ and aarch64-linux/
  compression, # in mksquashfs' words
  packerFlags, # for mksquashfs alone
}:
let
  pathsOf =
    variant:
    map builtins.storePath (
      builtins.filter (line: builtins.isString line && line != "") (
        builtins.split "\n" (builtins.readFile "${toString lists}/${variant}.paths")
      )
    );

  image =
    system: variant:
    let
      make =
        storeContents:
        import (flake + "/config.nix") {
          inherit system;
          settings.isoImage = {
            squashfsCompression = compression;
          }
          // (if storeContents == null then { } else { inherit storeContents; });
        };
      toplevel = (make null).config.system.build.toplevel;
      configuration = make ([ toplevel ] ++ pathsOf variant);
    in
    {
      inherit configuration;
      iso = derivationOf system configuration;
    };

  derivationOf =
    system: configuration:
    let
      inherit (configuration) pkgs config;
      inherit (pkgs) busybox;
      programs = builtins.path {
        name = "iso-tools";
        path = "${toString tools}/${system}";
      };
      bios = config.isoImage.makeBiosBootable;

      # As closureInfo makes them: the paths, and the registration that the image's Nix reads.
      closure = derivation {
        name = "closure-info";
        inherit system;
        __structuredAttrs = true;
        exportReferencesGraph.closure = config.isoImage.storeContents;
        builder = "${busybox}/bin/sh";
        args = [
          "-euc"
          ''
            PATH=${busybox}/bin
            json=.attrs.json # Nix 2.8 names it by its place outside of the sandbox
            out=$(sed 's/.*"outputs":{"out":"\([^"]*\)".*/\1/' $json)
            mkdir $out
            sed 's/.*"closure":\[{//' $json | awk -v out=$out '
              function of(key, end) { v = $0; sub(".*\"" key "\":", "", v); sub(end ".*", "", v); gsub(/"/, "", v); return v }
              BEGIN { RS = "}" }
              /"narHash":/ {
                path = of("path", ",\""); refs = of("references", "]"); sub(/^\[/, "", refs)
                print path > (out "/store-paths")
                n = split(refs, r, ",")
                printf "%s\n%s\n%s\n\n%d\n", path, of("narHash", ",\""), of("narSize", ",\""), n > (out "/registration")
                for (i = 1; i <= n; i++) print r[i] > (out "/registration")
              }'
          ''
        ];
      };

      menu = builtins.toFile "isolinux.cfg" (
        ''
          SERIAL 0 115200
          TIMEOUT 10
          DEFAULT boot
          LABEL boot
          LINUX /boot/bzImage
        ''
        # Without the string's context: the path is on the image, which does not refer to it.
        + builtins.unsafeDiscardStringContext "APPEND init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}\n"
        + "INITRD /boot/initrd\n"
      );
    in
    derivation {
      name = "mini.iso";
      inherit system;
      PATH = "${busybox}/bin";
      LC_ALL = "C";
      builder = "${busybox}/bin/sh";
      args = [
        "-euc"
        ''
          tool() { name=$1; shift; ${programs}/ld.so --library-path ${programs}/lib ${programs}/bin/$name "$@"; }
          cp ${closure}/registration nix-path-registration
          SOURCE_DATE_EPOCH=0 tool mksquashfs nix-path-registration $(cat ${closure}/store-paths) nix-store.squashfs \
            -no-hardlinks -keep-as-directory -all-root -root-mode 0755 -b 1048576 -comp ${compression} ${packerFlags} \
            -processors $NIX_BUILD_CORES > mksquashfs.log || { cat mksquashfs.log; exit 1; }

          # Of the size of nixpkgs', which is GRUB and rEFInd in a FAT file system.
          dd if=/dev/zero of=efi.img bs=1M count=3 2>/dev/null
          {
            echo boot/${config.system.boot.loader.kernelFile}=${pkgs.kernel}/${config.system.boot.loader.kernelFile}
            echo boot/initrd=${pkgs.initrd}/initrd
            ${if bios then "echo isolinux/isolinux.cfg=${menu}; echo isolinux=${pkgs.syslinux}/share/syslinux" else ""}
            echo boot/efi.img=efi.img
            echo nix-store.squashfs=nix-store.squashfs
          } > pathlist
          mkdir -p $out/iso
          export SOURCE_DATE_EPOCH=315532800
          tool xorriso -boot_image any gpt_disk_guid=$(echo $out | sha256sum | cut -c 1-32) \
            -volume_date all_file_dates =$SOURCE_DATE_EPOCH -as mkisofs -iso-level 3 -volid ${config.isoImage.volumeID} \
            -appid nixos -publisher nixos -graft-points -full-iso9660-filenames -joliet \
            ${
              if bios then
                "-eltorito-boot isolinux/isolinux.bin -eltorito-catalog .boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table --sort-weight 1 /isolinux -isohybrid-mbr ${pkgs.syslinux}/share/syslinux/isohdpfx.bin"
              else
                ""
            } \
            -eltorito-alt-boot -e boot/efi.img -no-emul-boot -isohybrid-gpt-basdat \
            -r -path-list pathlist --sort-weight 0 / -output $out/iso/mini.iso
        ''
      ];
    };

  both = system: {
    a = image system "a";
    b = image system "b";
  };
  x86_64 = both "x86_64-linux";
  aarch64 = both "aarch64-linux";
in
{
  x86_64-a = x86_64.a.configuration;
  x86_64-b = x86_64.b.configuration;
  aarch64-a = aarch64.a.configuration;
  aarch64-b = aarch64.b.configuration;
  derivations = {
    x86_64-a = x86_64.a.iso;
    x86_64-b = x86_64.b.iso;
    aarch64-a = aarch64.a.iso;
    aarch64-b = aarch64.b.iso;
  };
}
