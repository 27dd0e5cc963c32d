# A module that has a stage 1 of systemd copy what lies below /.initrd-secrets, where an
# initrd behind its own may have put it. The scripted one always does; systemd's has a unit
# for it only if the configuration has secrets of its own.
{
  lib,
  config,
  options,
  ...
}:
let
  isSystemd = config.boot.initrd.systemd.enable or false;
  hasOwn = (config.boot.initrd.secrets or { }) != { };
in
{
  _file = "livebuild's unit for stamps";

  config.boot.initrd =
    if options ? boot.initrd.systemd.services then
      {
        systemd.services.livebuild-copy-stamp = lib.mkIf (isSystemd && !hasOwn) {
          description = "Copy What Was Stamped Onto the Medium";
          wantedBy = [ "sysinit.target" ];
          before = [
            "sysinit.target"
            "shutdown.target"
          ];
          conflicts = [ "shutdown.target" ];
          unitConfig.DefaultDependencies = false;
          unitConfig.ConditionPathIsDirectory = "/.initrd-secrets/run";
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
          };
          # All of it is below /run, which stage 2 gets.
          script = "cp -r --no-dereference --preserve=mode /.initrd-secrets/run/. /run/";
        };
      }
    else
      { };
}
