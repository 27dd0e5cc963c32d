# What "nix flake init --template" offers: the files that "livebuild init" writes.
builtins.listToAttrs (
  map (template: {
    inherit (template) name;
    value = {
      path = ./. + "/${template.name}";
      inherit (template) description;
      welcomeText = ''
        Put your key into base.nix, then `git add` the files and make the live medium:

            livebuild iso .#exampleIso
      '';
    };
  }) (builtins.fromJSON (builtins.readFile ./templates.json))
)
