# A module that has a stage 1 of systemd find its medium where that is a file: the one that
# findiso= on the kernel's command line names, or that Ventoy started it from. The
# scripted stage 1 has code of its own for findiso=.
#
# The file becomes a loop device, udev finds the volume ID on it, and the mounts of the ISO
# module go on as with a disc. No disk is written to: file systems are mounted without
# their journals being replayed, since a system may be asleep on one.
{
  lib,
  config,
  options,
  pkgs,
  ...
}:
let
  systemd = config.boot.initrd.systemd;
  device = config.fileSystems."/iso".device or "";
  isOn = (systemd.enable or false) && builtins.match "/dev/disk/by-label/.*" device != null;

  losetup = "${systemd.package.util-linux or pkgs.util-linux}/bin/losetup";

  # What files lie on. Kernels that lack one of them are no reason not to start from the others,
  # so these are no availableKernelModules, of which none may be missing.
  modules = pkgs.makeModulesClosure {
    rootModules = [
      "vfat" "exfat" "ntfs3" "ext4" "btrfs" "xfs" "udf" "isofs" "loop"
      "nls_ascii" "nls_cp437" "nls_iso8859-1" "nls_utf8"
      # The sums of ext4, XFS and Btrfs.
      "crc32c_generic" "crc32c_cryptoapi" "xxhash_generic" "blake2b_generic" "sha256_generic"
    ];
    kernel = config.system.modulesTree;
    firmware = config.hardware.firmware;
    allowMissing = true;
  };

  # ventoy.net/en/doc_compatible_format.html, doc_compatible_pass.html
  efiVariable = "/sys/firmware/efi/efivars/VentoyOsParam-77772020-2e77-6576-6e74-6f792e6e6574";
  acpiTable = "/sys/firmware/acpi/tables/VTOY";
  isPC = pkgs.stdenv.hostPlatform.isx86;

  # For any POSIX shell, with the programs of coreutils, util-linux' mount, kmod and systemd.
  find = ''
    set -f +e
    label=${baseNameOf device}
    carrier=/run/livebuild/carrier other=/run/livebuild/other
    path= disk_id= disk_signature= number=

    say() { echo "livebuild: $*"; }
    fail() { say "$*"; exit 1; }

    # ventoy_table READER...: what Ventoy says, if what the reader prints is its table of 512 bytes.
    ventoy_table() {
      bytes=$("$@" 2>/dev/null | head -c 512 | od -An -v -t x1 | tr -d ' \n')
      case $bytes in 20207777772e76656e746f792e6e6574*) ;; *) return 1 ;; esac
      sum=0
      for byte in $("$@" 2>/dev/null | head -c 512 | od -An -v -t u1); do sum=$((sum + byte)); done
      [ ''${#bytes} -eq 1024 ] && [ $((sum % 256)) -eq 0 ] || return 1
      path=$("$@" 2>/dev/null | head -c 429 | tail -c +46 | tr '\0' '\n' | head -n 1)
      disk_id=$(echo "$bytes" | cut -c 35-66)
      disk_signature=$(echo "$bytes" | cut -c 963-970)
      number=$((0x$(echo "$bytes" | cut -c 85-86)$(echo "$bytes" | cut -c 83-84)))
      case $path in /*) return 0 ;; esac
      return 1
    }
    behind() { cat "$2" | tail -c +$(($1 + 1)); }
    memory() { dd if=/dev/mem bs=16 skip=$(($1 / 16)) count=32; }

    # In low memory, at a multiple of 16, where other firmware than UEFI has Ventoy put it. Equal
    # lines are printed once, and most are zeros.
    ventoy_memory() {
      [ -e /dev/mem ] || return 1
      dd if=/dev/mem bs=4096 skip=128 count=32 2>/dev/null | od -A d -t x1 -w16 | {
        while read -r at line; do
          [ "$line" != "20 20 77 77 77 2e 76 65 6e 74 6f 79 2e 6e 65 74" ] || { echo $((524288 + ''${at#"''${at%%[!0]*}"} + 0)); break; }
        done
      }
    }

    # property NAME FILE: of a device, in the file of udev.
    property() {
      while read -r line; do
        case $line in "E:$1="*) echo "''${line#*=}" && return ;; esac
      done < "$2"
    }

    # volume FILE: the volume ID of an image (ECMA-119 §8.4.7).
    volume() { dd if="$1" bs=1 skip=32808 count=32 2>/dev/null | tr -d '\0 '; }

    # what makes two images of livebuild one: the identifiers in their heads are made of their contents.
    head_of() { dd if="$1" bs=65536 count=1 2>/dev/null | sha256sum; }

    # is_ventoys NAME: whether a partition is the one that Ventoy means.
    is_ventoys() {
      [ "$(cat "/sys/class/block/$1/partition" 2>/dev/null)" = "$number" ] || return 1
      disk=$(readlink -f "/sys/class/block/$1/..")
      sector=$(dd if="/dev/''${disk##*/}" bs=512 count=1 2>/dev/null | od -An -v -t x1 | tr -d ' \n')
      [ "$(echo "$sector" | cut -c 769-800)" = "$disk_id" ] && [ "$(echo "$sector" | cut -c 881-888)" = "$disk_signature" ]
    }

    # load MODULE...: from where the kernel looks itself, or from here, where it does not.
    load() {
      for module in "$@"; do modprobe -q "$module" || modprobe -q -d ${modules} "$module"; done
    }

    # mount_at FOLDER NAME TYPE: to read, and no journal is replayed.
    mount_at() {
      type=$3 options=ro
      case $type in
        ext2 | ext3 | ext4) type=ext4 options=ro,noload ;;
        xfs) options=ro,norecovery ;;
        btrfs) options=ro,rescue=nologreplay ;;
        ntfs) type=ntfs3 ;;
        vfat) options=ro,utf8 ;;
        exfat | iso9660 | udf) ;;
        *) return 1 ;;
      esac
      case $type in
        vfat) load nls_cp437 nls_iso8859-1 nls_utf8 nls_ascii vfat ;;
        ext4 | xfs | btrfs) load crc32c_generic crc32c_cryptoapi xxhash_generic blake2b_generic sha256_generic "$type" ;;
        iso9660) load isofs ;;
        *) load "$type" ;;
      esac
      mkdir -p "$1"
      mount -t "$type" -o "$options" "/dev/$2" "$1" 2>/dev/null || { [ "$type" = vfat ] && mount -t vfat -o ro "/dev/$2" "$1" 2>/dev/null; }
    }

    # look NAME TYPE: for the file on a file system; what was found is said in $looked.
    look() {
      where=$carrier
      [ -z "$found" ] || where=$other
      if ! mount_at "$where" "$1" "$2"; then
        looked="$looked''${looked:+, }$1 ($2, cannot be mounted)"
        return
      fi
      if ! [ -f "$where$path" ]; then
        looked="$looked''${looked:+, }$1 ($2, no such file)"
      elif [ "$(volume "$where$path")" != "$label" ]; then
        looked="$looked''${looked:+, }$1 ($2, the file is no image with the volume $label)"
      elif [ -z "$found" ]; then
        found=$1 found_type=$2
        return
      elif [ "$(head_of "$where$path")" != "$(head_of "$carrier$path")" ]; then
        fail "there are two images $path, on $found and on $1: take one of them away, and start again"
      fi
      umount "$where"
    }

    # others: devices beside the file that have the volume, as a stick that was written with it.
    others() {
      set +f
      for block in /sys/class/block/*; do
        name=''${block##*/}
        case $name in loop*) continue ;; esac
        read -r dev < "$block/dev" || continue
        [ ! -e "/run/udev/data/b$dev" ] || [ "$(property ID_FS_LABEL "/run/udev/data/b$dev")" != "$label" ] || echo "/dev/$name"
      done
      set -f
    }

    for word in $(cat /proc/cmdline); do
      case $word in findiso=?*) path=/''${word#findiso=} path=/''${path#//} ;; esac
    done
    if [ -n "$path" ]; then
      asked="findiso="
    elif [ -e ${acpiTable} ] && ventoy_table behind 36 ${acpiTable}; then
      asked="Ventoy's ACPI table"
    elif [ -e ${efiVariable} ] && ventoy_table behind 4 ${efiVariable}; then
      asked="Ventoy's variable"
  ''
  + (
    if isPC then
      ''
        elif [ ! -e /sys/firmware/efi ] && at=$(ventoy_memory) && [ -n "$at" ] && ventoy_table memory "$at"; then
          asked="Ventoy's table"
      ''
    else
      ""
  )
  + ''
    else
      exit 0
    fi
    # Its hook would have made this device another way, and is known to fail here.
    [ ! -e /ventoy ] || fail "Ventoy has changed the initrd, although the image has ventoy.dat: take a newer Ventoy, or start the image in its GRUB2 mode"
    load loop

    # now: seconds since the machine was started.
    now() { read -r seconds rest < /proc/uptime; echo "''${seconds%%.*}"; }
    begun=$(now)
    # A minute, unless that is too late for anyone to read it: the device that the mount wants is
    # given up 90 seconds after systemd has begun, and slow machines take some of them to get here.
    until=$((begun + 60))
    systemd=$(systemctl show --property=UserspaceTimestampMonotonic --value 2>/dev/null) || systemd=
    case $systemd in
      "" | *[!0-9]*) ;;
      *) systemd=$((systemd / 1000000 + 75)); [ $until -le $systemd ] || until=$systemd ;;
    esac
    looked= known= found=
    while [ -z "$found" ]; do
      set +f
      for block in /sys/class/block/*; do
        name=''${block##*/}
        case $name in loop* | ram* | zram* | fd*) continue ;; esac
        # udev writes the file when it has done with the device.
        { read -r dev < "$block/dev"; } 2>/dev/null || continue
        [ -e "/run/udev/data/b$dev" ] || continue
        type=$(property ID_FS_TYPE "/run/udev/data/b$dev")
        [ -n "$type" ] || continue
        case "$known " in *" $name:$dev:$type "*) continue ;; esac
        [ -z "$number" ] || is_ventoys "$name" || continue
        known="$known $name:$dev:$type"
        look "$name" "$type"
      done
      set -f
      [ -z "$found" ] || break
      waited=$(($(now) - begun))
      # What Ventoy said may be of an earlier start; the medium then is what the label says.
      if [ -n "$number" ] && [ $waited -ge 10 ] && [ -e "/dev/disk/by-label/$label" ]; then
        say "$asked names $path, which is on no disk here; the medium is $(readlink -f "/dev/disk/by-label/$label")"
        exit 0
      fi
      if [ "$(now)" -ge $until ]; then
        fail "no image $path (by $asked) with the volume $label appeared within $waited seconds. Looked at: ''${looked:-nothing, since no disk with a file system appeared}"
      fi
      sleep 0.5
    done

    two=$(others)
    [ -z "$two" ] || fail "the volume $label is in $path on /dev/$found, and on" $two": take one of them away, and start again"
    loop=$(${losetup} --find --show --read-only "$carrier$path") || fail "$path on /dev/$found cannot be used as a disk"
    tries=0
    until [ "$(readlink -f "/dev/disk/by-label/$label")" = "$loop" ]; do
      tries=$((tries + 1))
      [ $tries -le 100 ] || fail "udev does not see the volume $label on $loop, which is $path on /dev/$found"
      sleep 0.2
    done
    say "the medium is $path on /dev/$found ($found_type), by $asked"
  '';
in
{
  _file = "livebuild's unit for images in files";

  config =
    if options ? boot.initrd.systemd.services then
      {
        boot.initrd.systemd = {
          storePaths = lib.mkIf isOn [
            losetup
            modules
          ];
          services.livebuild-find-image = lib.mkIf isOn {
            description = "Image in a File on a Disk";
            unitConfig = {
              DefaultDependencies = false;
              # Any of them.
              ConditionKernelCommandLine = "|findiso";
              ConditionPathExists = [
                "|${acpiTable}"
                "|${efiVariable}"
              ]
              ++ (if isPC then [ "|!/sys/firmware/efi" ] else [ ]);
            };
            wants = [ "systemd-udevd.service" ];
            after = [
              "systemd-udevd.service"
              "systemd-modules-load.service"
            ];
            # Whose wait for the device begins with the boot, and ends after this one.
            requiredBy = [ "sysroot-iso.mount" ];
            before = [
              "sysroot-iso.mount"
              "shutdown.target"
            ];
            conflicts = [ "shutdown.target" ];
            serviceConfig = {
              Type = "oneshot";
              RemainAfterExit = true;
              TimeoutStartSec = 85;
              StandardOutput = "journal+console";
              StandardError = "journal+console";
            };
            script = find;
          };
        };
      }
    else
      { };
}
