{
  description = "A NixOS system, and a medium that installs it without a network";

  # The NixOS that all is made of: this commit of it, until "nix flake update".
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { nixpkgs, ... }:
    {
      nixosConfigurations = {
        # The live medium:  livebuild iso .#exampleIso --install .#example
        exampleIso = nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./iso.nix
          ];
        };

        # The installed system, which the medium has whole.
        example = nixpkgs.lib.nixosSystem {
          modules = [
            ./base.nix
            ./host.nix
          ];
        };
      };
    };
}
