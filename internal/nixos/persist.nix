# A module that has the live system keep its files on the stick that it started from: in a
# partition called livebuild-persist of the same disk, and of no other one, which 'livebuild
# write --persist' makes behind the image. Where there is none, or it is of no use, all is as
# without: files are in memory.
#
# The partition becomes the root. What belongs to the store is kept apart for each image, by
# the identifier of its GPT, which follows from what is in it: paths of one image's store say
# nothing about another's, while all else of a system is kept when the image is replaced.

# "plain", or "luks" for partitions that are encrypted, too.
persistent:

{
  lib,
  config,
  options,
  pkgs,
  modulesPath,
  ...
}:
let
  isSystemd = config.boot.initrd.systemd.enable or false;
  luks = persistent == "luks";

  # Above what stage 1 has of its own, in the shells of both of its kinds, which have no other
  # programs in common than those of coreutils, mount, and what is added below.
  functions = ''
    livebuild_say() {
      echo "livebuild: $1" > /dev/console
      mkdir -p /run/livebuild
      echo "$1" > /run/livebuild/persist-told
    }

    # livebuild_ask PROMPT: answer is what somebody types who nobody watches.
    livebuild_ask() {
      ${
        if isSystemd then
          ''answer=$(systemd-ask-password --timeout=0 "$1") || answer=''
        else
          ''
            if command -v plymouth > /dev/null && plymouth --ping; then
              answer=$(plymouth ask-for-password --prompt="$1") || answer=
              return
            fi
            stty -echo < /dev/console
            echo "$1" > /dev/console
            IFS= read -r answer < /dev/console || answer=
            stty echo < /dev/console
          ''
      }
    }

    # livebuild_bytes FILE OFFSET LENGTH: bytes in hexadecimal digits.
    livebuild_bytes() {
      digits=
      for byte in $(dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | od -A n -t x1); do
        digits=$digits$byte
      done
      echo "$digits"
    }

    # livebuild_disk DEVICE: the kernel's name of the disk that it is, or is a part of.
    livebuild_disk() {
      folder=$(readlink -f "/sys/class/block/''${1##*/}")
      if [ -e "$folder/partition" ]; then folder=''${folder%/*}; fi
      echo "''${folder##*/}"
    }

    # livebuild_part DISK: the kernel's name of the partition for what is kept. The kernel has
    # read the whole table before it tells of the disk.
    livebuild_part() {
      for folder in /sys/class/block/"$1"/"$1"*; do
        if [ -e "$folder/uevent" ]; then
          while read -r line; do
            if [ "$line" = PARTNAME=livebuild-persist ]; then
              echo "''${folder##*/}"
              return
            fi
          done < "$folder/uevent"
        fi
      done
    }

    # livebuild_new PARTITION: what is to be made of it, if that has not been done yet.
    livebuild_new() {
      dd if="/dev/$1" bs=4096 skip="$2" count=1 2>/dev/null | {
        read -r line || line=
        read -r kind || kind=
        if [ "$line" = "livebuild: a file system is made here at the first start." ]; then
          echo "$kind"
        fi
      }
    }

    # livebuild_open PARTITION: target is what is in it, by the passphrase in answer. The device
    # mapper does not wait for udev, whose rules for it not every stage 1 has.
    livebuild_open() {
      modprobe -q dm_mod
      modprobe -q dm_crypt
      printf %s "$answer" | DM_DISABLE_UDEV=1 cryptsetup open --type luks2 --key-file=- "/dev/$1" livebuild-persist || return 1
      target=/dev/mapper/livebuild-persist
    }

    # livebuild_unlock PARTITION: asks for the passphrase.
    livebuild_unlock() {
      if ! command -v cryptsetup > /dev/null; then
        livebuild_say "what is kept on /dev/$1 is encrypted, and this image was made without --persistent=luks"
        return 1
      fi
      for try in 1 2 3; do
        livebuild_ask "Passphrase for what is kept on this stick (none: start without):"
        if [ -z "$answer" ]; then return 1; fi
        if livebuild_open "$1"; then return; fi
        echo "This is not the passphrase." > /dev/console
      done
      return 1
    }

    # livebuild_encrypt PARTITION: makes it one that is encrypted. By itself cryptsetup takes as much
    # memory as half of this machine has, up to 1 GiB, and each later one would need as much.
    livebuild_encrypt() {
      if ! command -v cryptsetup > /dev/null; then
        livebuild_say "/dev/$1 is to be encrypted, and this image was made without --persistent=luks"
        return 1
      fi
      while :; do
        livebuild_ask "Choose a passphrase for what is kept on this stick (none: start without):"
        if [ -z "$answer" ]; then return 1; fi
        first=$answer
        livebuild_ask "Once more, the same:"
        if [ "$answer" = "$first" ]; then break; fi
        echo "They differ." > /dev/console
      done
      printf %s "$answer" | cryptsetup luksFormat --batch-mode --type luks2 --pbkdf argon2id --pbkdf-memory 262144 --sector-size 4096 --key-file=- "/dev/$1" &&
        livebuild_open "$1" && return
      livebuild_say "/dev/$1 could not be encrypted: nothing is kept"
      return 1
    }

    # livebuild_sectors DEVICE: its size, of the kernel's 512 bytes.
    livebuild_sectors() {
      for folder in /sys/class/block/"''${1##*/}" /sys/class/block/dm-*; do
        if [ "$folder" = "/sys/class/block/''${1##*/}" ] || [ "$(cat "$folder/dm/name" 2>/dev/null)" = "''${1##*/}" ]; then
          cat "$folder/size" 2>/dev/null && return
        fi
      done
    }

    # livebuild_persist DEVICE ROOT: mounts what is kept on the disk of a device.
    livebuild_persist() {
      for word in $(cat /proc/cmdline); do
        # With a copy in memory the stick may be pulled out; a file with an image is on a disk
        # that has other things, too.
        case $word in livebuild.persist=no | copytoram | findiso=* | boot.persistence=*) return 1 ;; esac
      done
      stick=$(livebuild_disk "$(readlink -f "$1")")
      if [ -z "$stick" ]; then return 1; fi
      part=$(livebuild_part "$stick")
      if [ -z "$part" ]; then return 1; fi
      # The identifier of the disk in the header of its GPT (UEFI 2.10, 5.3.2).
      image=$(livebuild_bytes "/dev/$stick" 568 16)
      target=/dev/$part
      blocks=$(($(livebuild_sectors "$part") / 8))
      new=$(livebuild_new "$part" $((blocks - 1)))
      if [ "$new" = luks ]; then
        livebuild_encrypt "$part" || return 1
      elif [ -z "$new" ] && [ "$(livebuild_bytes "/dev/$part" 0 6)" = 4c554b53babe ]; then
        livebuild_unlock "$part" || return 1
      fi
      if [ -n "$new" ]; then
        # By a name that busybox has no program for, nor prefers its own. All of it but the end, which says that this is to be done, until it is.
        size=$(($(livebuild_sectors "$target") / 2 - 1024))
        read -r unique < /proc/sys/kernel/random/uuid
        mkfs.ext4 -q -F -t ext4 -m 1 -L "LIVEBUILD_P''${unique%%????-*}" "$target" "''${size}k" ||
          { livebuild_say "no file system could be made on /dev/$part: nothing is kept"; return 1; }
        sync
        dd if=/dev/zero of="/dev/$part" bs=4096 seek=$((blocks - 1)) count=1 conv=notrunc 2>/dev/null
        sync
      fi
      checked=0
      e2fsck -p "$target" || checked=$?
      if [ $checked -ge 4 ]; then
        livebuild_say "the file system on /dev/$part is damaged: nothing of it is used, nothing is kept; e2fsck $target repairs it"
        return 1
      fi
      # While a partition is mounted, Linux mounts nothing of the whole disk (block/bdev.c,
      # bd_may_claim), on which the medium is; but it does of a loop device with it.
      loop=$(losetup -f) && losetup -r "$loop" "/dev/$stick" ||
        { livebuild_say "there is no loop device for /dev/$stick: nothing is kept"; return 1; }
      mkdir -p "$2"
      mount -t ext4 -o noatime,commit=30 "$target" "$2" ||
        { livebuild_say "/dev/$part cannot be mounted: nothing is kept"; return 1; }
      nix=$2/.livebuild/nix-$image
      if ! { mkdir -p "$2/.livebuild" && chmod 0700 "$2/.livebuild" && mkdir -p "$nix/store" "$nix/work" "$nix/var" && : > "$nix/started"; }; then
        umount "$2"
        livebuild_say "/dev/$part cannot be written to: nothing is kept"
        return 1
      fi
      mkdir -p /run/livebuild
      printf 'partition=/dev/%s\ndisk=/dev/%s\nimage=%s\n' "$part" "$stick" "$image" > /run/livebuild/persist
    }

    # livebuild_kept NAME: what was found out.
    livebuild_kept() {
      while IFS== read -r name value; do
        if [ "$name" = "$1" ]; then echo "$value"; fi
      done < /run/livebuild/persist
    }

    # livebuild_store ROOT: has the store of this image keep what is added.
    livebuild_store() {
      if ! [ -e /run/livebuild/persist ]; then return; fi
      nix=$1/.livebuild/nix-$(livebuild_kept image)
      mount -t overlay -o "lowerdir=$1/nix/.ro-store,upperdir=$nix/store,workdir=$nix/work" overlay "$1/nix/store" &&
        mkdir -p "$1/nix/var" && mount -o bind "$nix/var" "$1/nix/var" ||
        livebuild_say "what is added to the store is not kept"
    }
  '';

  # For the scripted stage 1, whose own variable replaces the root. By the link, /iso is of the
  # same disk, whatever else has its label.
  find = ''
    ${functions}
    waitDevice /dev/root
    if [ -z "$persistence" ] && livebuild_persist /dev/root /livebuild-persist; then
      umount /livebuild-persist
      ln -sfn "$loop" /dev/root
      persistence=$target persistence_opt=noatime,commit=30
    fi
  '';

  # Those of stage 1 of systemd.
  device = config.fileSystems."/iso".device or "/dev/root";
  utils = import (modulesPath + "/../lib/utils.nix") { inherit config lib pkgs; };
  escape = utils.escapeSystemdPath;
  mounts = map (fs: "${escape ("/sysroot" + fs.mountPoint)}.mount") (
    builtins.filter (fs: fs.mountPoint != "/" && utils.fsNeededForBoot fs) (
      builtins.attrValues config.fileSystems
    )
  );
  unit = more: script: {
    unitConfig.DefaultDependencies = false;
    conflicts = [ "shutdown.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      StandardOutput = "tty";
      StandardError = "tty";
    };
    script = ''
      set +e
      ${functions}
      ${script}
      exit 0
    '';
  }
  // more;

  units = {
    livebuild-persist =
      unit
        {
          description = "Files Kept on the Stick";
          wantedBy = mounts;
          wants = [ "${escape device}.device" ];
          after = [ "sysroot.mount" "${escape device}.device" "systemd-modules-load.service" ];
          before = mounts ++ [ "shutdown.target" ];
        }
        # What is mounted already the unit for it leaves alone.
        ''
          if livebuild_persist ${device} /sysroot; then
            mkdir -p /sysroot/iso
            mount -t iso9660 -o ro "$loop" /sysroot/iso
          fi
        '';

    livebuild-persist-store =
      unit
        {
          description = "Store Kept on the Stick";
          wantedBy = [ "initrd-fs.target" ];
          after = [ "sysroot-nix-store.mount" ];
          before = [ "initrd-fs.target" "shutdown.target" ];
        }
        "livebuild_store /sysroot";
  };

  # For whoever works in the live system.
  command = pkgs.writeShellScriptBin "livebuild-persist" ''
    set -eu
    root=''${LIVEBUILD_PERSIST_ROOT:-}
    state=$root/run/livebuild/persist

    usage() {
      echo "usage: livebuild-persist [status | gc [--dry-run]]" >&2
      exit 2
    }

    value() {
      while IFS== read -r name value; do
        if [ "$name" = "$1" ]; then echo "$value"; fi
      done < "$state"
    }

    # Of images that were on this stick before: what was added to their stores.
    others() {
      for folder in "$root"/.livebuild/nix-*; do
        if [ -d "$folder" ] && [ "''${folder##*/nix-}" != "$(value image)" ]; then echo "$folder"; fi
      done
    }

    case ''${1:-status} in
    status)
      [ $# -le 1 ] || usage
      if ! [ -e "$state" ]; then
        echo "nothing is kept"
        if [ -e "$state-told" ]; then cat "$state-told"; fi
        exit 1
      fi
      echo "files are kept on $(value partition)"
      others | while read -r folder; do
        echo "additions to the store of another image: $(du -sh "$folder" | cut -f 1) $folder"
      done
      ;;
    gc)
      dry=
      case $#,''${2:-} in
      1,) ;;
      2,--dry-run) dry=1 ;;
      *) usage ;;
      esac
      if ! [ -e "$state" ]; then
        echo "error: nothing is kept on this stick, or not this time" >&2
        exit 1
      fi
      others | while read -r folder; do
        echo "$(du -sh "$folder" | cut -f 1) $folder"
        if [ -z "$dry" ]; then rm -rf "$folder"; fi
      done
      ;;
    *) usage ;;
    esac
  '';
in
{
  _file = "livebuild's module for what is kept on sticks";

  config = lib.mkMerge [
    {
      boot.initrd.supportedFilesystems = [ "ext4" ];
      # As nixpkgs' luksroot.nix has them.
      boot.initrd.availableKernelModules = [
        "ext4"
      ]
      ++ (if luks then [ "dm_mod" "dm_crypt" "cryptd" "ecb" ] ++ (config.boot.initrd.luks.cryptoModules or [ ]) else [ ]);
      environment.systemPackages = [ command ];

      # It would give the root the options of the tmpfs that /etc/fstab has.
      systemd.services.systemd-remount-fs.unitConfig.ConditionPathExists = "!/run/livebuild/persist";

      # What was stamped onto the stick, and is no more; a stamp that is there runs it itself.
      systemd.services.livebuild-unstamp = {
        description = "What Is No More Stamped Onto the Medium";
        wantedBy = [ "sysinit.target" ];
        unitConfig = {
          DefaultDependencies = false;
          ConditionPathExists = "/var/lib/livebuild/unstamp";
        };
        after = [ "local-fs.target" "systemd-tmpfiles-setup.service" ];
        before = [
          "livebuild-stamp.service"
          "network-pre.target"
          "sshd.service"
          "sshd.socket"
          "NetworkManager.service"
          "iwd.service"
          "wpa_supplicant.service"
          "systemd-networkd.service"
          "sysinit.target"
          "shutdown.target"
        ];
        conflicts = [ "shutdown.target" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
        script = "PATH=/run/current-system/sw/bin:$PATH sh /var/lib/livebuild/unstamp";
      };
    }
    {
      boot.initrd = {
        extraUtilsCommands = lib.mkIf (!isSystemd) ''
          copy_bin_and_libs ${pkgs.e2fsprogs}/sbin/mke2fs
          ln -sfn mke2fs $out/bin/mkfs.ext4
          ${if luks then "copy_bin_and_libs ${pkgs.cryptsetup}/bin/cryptsetup" else ""}
        '';
        postDeviceCommands = lib.mkIf (!isSystemd) (lib.mkAfter find);
        # Its functions are those of before.
        postMountCommands = lib.mkIf (!isSystemd) "livebuild_store /mnt-root\n";
      };
    }
    (
      if options ? boot.initrd.systemd.services then
        {
          boot.initrd.systemd = {
            extraBin = lib.mkIf isSystemd (
              {
                "mkfs.ext4" = "${pkgs.e2fsprogs}/bin/mkfs.ext4";
                e2fsck = "${pkgs.e2fsprogs}/bin/e2fsck";
                losetup = "${pkgs.util-linux}/bin/losetup";
              }
              // (if luks then { cryptsetup = "${pkgs.cryptsetup}/bin/cryptsetup"; } else { })
            );
            services = lib.mkIf isSystemd units;
          };
        }
      else
        { }
    )
  ];
}
