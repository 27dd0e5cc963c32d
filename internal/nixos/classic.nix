# The configurations of a Nix file outside of flakes, as a set like a flake's
# nixosConfigurations.
#
# The file has a module, as 'nix-build <nixpkgs/nixos> -I nixos-config=FILE' takes
# it, or a configuration, or a set of configurations, as 'nix-build FILE -A NAME'
# does. A function is called if all its arguments have defaults.
{
  # Path of the file.
  file,
  # What its only configuration is called.
  name,
}:
let
  # nixpkgs calls it so itself; unlike <nixpkgs/nixos>, of old releases, too, the
  # result can be extended.
  nixosSystem = import <nixpkgs/nixos/lib/eval-config.nix>;

  imported = import file;
  arguments = builtins.functionArgs imported;
  isCalled =
    builtins.isFunction imported
    && arguments != { }
    && builtins.all (hasDefault: hasDefault) (builtins.attrValues arguments);
  value = if isCalled then imported { } else imported;

  isConfiguration =
    v: builtins.isAttrs v && v ? config && v ? options && (v ? extendModules || v ? pkgs);
in
if isConfiguration value then
  { ${name} = value; }
else if value ? nixosConfigurations then
  value.nixosConfigurations
else if
  builtins.isAttrs value && value != { } && builtins.any isConfiguration (builtins.attrValues value)
then
  value
else
  { ${name} = nixosSystem { modules = [ file ]; }; }
