# A module of what stage 1 does with the medium that it has mounted: where the word
# livebuild.check is on the kernel's command line, it compares the files of the medium
# with their sums, and starts nothing of the store image unless all are good.
#
# It is for BIOS alone: by UEFI, GRUB has done it.
{
  lib,
  config,
  options,
  pkgs,
  ...
}:
let
  bios = config.isoImage.makeBiosBootable or pkgs.stdenv.hostPlatform.isx86;
  isSystemd = config.boot.initrd.systemd.enable or false;

  # A script for the shells of both kinds of stage 1, which have no other programs in
  # common than cat, sha512sum, sleep and stat. It writes whole lines, which every
  # console and every reader of a screen shows.
  check = iso: off: ''
    livebuild_check() {
      iso=${iso} damaged= sums=/run/livebuild-sum
      echo "Checking this medium, before anything is started from it."
      if ! [ -s "$iso/livebuild/SHA512SUMS" ]; then
        damaged=" /livebuild/SHA512SUMS is missing"
      else while read -r sum file; do
        size=$(stat -L -c %s "$iso$file" 2>/dev/null) || size=0
        echo "  reading $file, $((size >> 20)) MiB"
        sha512sum > $sums < "$iso$file" &
        pid=$! tenth=0
        while [ "$size" -gt 67108864 ] && { read -r _ at < /proc/$pid/fdinfo/0; } 2>/dev/null; do
          if [ $((at * 10 / size)) -gt $tenth ]; then
            tenth=$((at * 10 / size))
            echo "    $((tenth * 10)) %"
          fi
          sleep 1
        done
        wait $pid || true
        found=
        read -r found _ < $sums || true
        if [ "$found" = "$sum" ]; then
          echo "  good: $file"
        else
          echo "  DAMAGED: $file"
          damaged="$damaged $file"
        fi
      done < "$iso/livebuild/SHA512SUMS"
      fi
      if [ -z "$damaged" ]; then
        echo "This medium is good. Starting the system."
        return 0
      fi
      echo "THIS MEDIUM IS DAMAGED:$damaged"
      echo "Write it anew, or use another one. Press Enter to switch this machine off."
      read -r _ < /dev/console || sleep 86400
      ${off}
    }
  '';
in
{
  _file = "livebuild's medium check";

  config.boot.initrd =
    {
      # Behind the mounts: nothing has been started from them.
      postMountCommands = lib.mkIf (bios && !isSystemd) ''
        ${check "/mnt-root/iso" "poweroff -f"}
        for o in $(cat /proc/cmdline); do
          case $o in livebuild.check) livebuild_check ;; esac
        done
      '';
    }
    // (
      if options ? boot.initrd.systemd.services then
        {
          systemd.services.livebuild-check = lib.mkIf (bios && isSystemd) {
            description = "Check of the Medium";
            unitConfig.DefaultDependencies = false;
            unitConfig.ConditionKernelCommandLine = "livebuild.check";
            requires = [ "sysroot-iso.mount" ];
            after = [ "sysroot-iso.mount" ];
            requiredBy = [ "sysroot-nix-.ro\\x2dstore.mount" ];
            before = [ "sysroot-nix-.ro\\x2dstore.mount" ];
            conflicts = [ "shutdown.target" ];
            # What it says is for whoever sits at the machine, not for a journal that is lost.
            serviceConfig = {
              Type = "oneshot";
              RemainAfterExit = true;
              StandardOutput = "tty";
              StandardError = "tty";
            };
            script = ''
              ${check "/sysroot/iso" "systemctl --force --force poweroff"}
              livebuild_check
            '';
          };
        }
      else
        { }
    );
}
