# What several configurations of one flake say, for one medium: a list of what eval.nix
# says of each, in their order, or of the first that there is no image of.
#
# Stage 1 of each has to find the medium that all are on, so all get one volume ID: that of
# the first, which is the same on a medium of its own then, or one that is given.
{
  names,
  # The other arguments of eval.nix.
  arguments,
  # Null: that of the first.
  volumeID ? null,
  # The other files here.
  files,
}:
configurations:
let
  evaluate = more: name: files.eval (arguments // { inherit name; changes = arguments.changes // more; }) configurations;
  onMedium = id: if id == null then { } else { sharedVolumeID = id; };

  # What the medium can install is asked for once.
  first = evaluate (onMedium volumeID) (builtins.head names);
  others = map (evaluate ({ install = [ ]; beside = true; } // onMedium (if volumeID != null then volumeID else first.system.volumeID))) (
    builtins.tail names
  );

  upToError =
    results:
    if results == [ ] then
      [ ]
    else if builtins.head results ? error then
      [ (builtins.head results) ]
    else
      [ (builtins.head results) ] ++ upToError (builtins.tail results);
in
upToError ([ first ] ++ others)
