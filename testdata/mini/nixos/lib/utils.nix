# What modules ask of nixpkgs' nixos/lib/utils.nix.
{ lib, ... }:
{
  # escapeSystemdPath PATH: as systemd-escape --path does (systemd.unit(5)), of a path without
  # empty parts that does not begin with a dot.
  escapeSystemdPath =
    path:
    let
      parts = builtins.filter (p: builtins.isString p && p != "") (builtins.split "/" path);
      digits = {
        " " = "20"; "!" = "21"; "\"" = "22"; "#" = "23"; "$" = "24"; "%" = "25"; "&" = "26"; "'" = "27"; "(" = "28";
        ")" = "29"; "*" = "2a"; "+" = "2b"; "," = "2c"; "-" = "2d"; ";" = "3b"; "<" = "3c"; "=" = "3d"; ">" = "3e";
        "@" = "40"; "[" = "5b"; "\\" = "5c"; "]" = "5d"; "^" = "5e"; "`" = "60"; "{" = "7b"; "|" = "7c"; "}" = "7d";
        "~" = "7e";
      };
      names = builtins.attrNames digits;
      escaped = builtins.replaceStrings names (map (c: "\\x${digits.${c}}") names);
    in
    if parts == [ ] then "-" else builtins.concatStringsSep "-" (map escaped parts);

  fsNeededForBoot =
    fs: fs.neededForBoot or false || builtins.elem fs.mountPoint [ "/" "/nix" "/nix/store" "/var" "/var/log" "/var/lib" "/var/lib/nixos" "/etc" "/usr" ];
}
