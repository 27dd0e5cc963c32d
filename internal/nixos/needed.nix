# What must be in the store before strings can be used that name paths in it.
strings:
let
  # Concatenating strings unites their contexts, several outputs of one derivation
  # included.
  context = builtins.getContext (builtins.concatStringsSep "\n" strings);

  select =
    keep:
    builtins.listToAttrs (
      builtins.concatMap (
        n:
        if keep context.${n} then
          [
            {
              name = n;
              value = context.${n};
            }
          ]
        else
          [ ]
      ) (builtins.attrNames context)
    );
in
{
  # Outputs by derivation. An empty list stands for all of them.
  realise = builtins.mapAttrs (_: c: if c.allOutputs or false then [ ] else c.outputs) (
    select (c: c ? outputs || c ? allOutputs)
  );

  # Already in the store, nothing to build: sources of the flake.
  sources = builtins.attrNames (select (c: c.path or false));
}
