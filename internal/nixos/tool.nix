# Where a program is had from that runs on this machine: a function of a flake's
# whole `nixosConfigurations` set.
{
  # The configuration whose nixpkgs it is.
  name,
  # The package.
  attribute,
  machine,
  files,
}:
configurations:
let
  inherit (configurations.${name}) pkgs;
  package = (files.machine { inherit pkgs machine; }).${attribute};
in
{
  drv = package.drvPath;
  out = package.outPath;
  output = package.outputName or "out";
}
