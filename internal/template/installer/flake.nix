{
  description = "A NixOS system, and a medium that installs it without a network";

  # The NixOS that all is made of: this commit of it, until "nix flake update".
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    {
      nixosConfigurations = {
        # The live medium:  livebuild iso .#exampleIso
        exampleIso = nixpkgs.lib.nixosSystem {
          specialArgs = { inherit self; };
          modules = [
            ./base.nix
            ./iso.nix
          ];
        };

        # The installed system.  The medium has it whole, and its name in "install-example".
        example = nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./host.nix
          ];
        };
      };
    };
}
