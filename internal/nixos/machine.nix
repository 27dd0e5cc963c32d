# The packages whose programs run on a machine, of the same nixpkgs as others. As a
# rule those that they are built with: where not, the same for another platform.
{
  pkgs,
  # The platform of the machine; null for that which the packages are built on.
  machine,
}:
let
  build = (pkgs.stdenv.buildPlatform or pkgs.stdenv.hostPlatform or { }).system or machine;
in
if machine == null || build == machine || !(pkgs ? path) then
  pkgs.buildPackages or pkgs
else
  import pkgs.path {
    system = machine;
    config = { };
    overlays = pkgs.overlays or [ ];
  }
