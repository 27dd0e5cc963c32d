# A module of the changes that are asked for on the command line. The argument is
# the type Changes of Go as JSON has it.
{
  volumeID ? null,
  # The volume ID of a medium that other configurations are on, too.
  sharedVolumeID ? null,
  kernelParams ? [ ],
  sshKeys ? [ ],
  staticIPs ? [ ],
  mediaCheck ? false,
  persistent ? null,
  # Whether the configuration is that of an installed system.
  installed ? false,
  # The other files here.
  files,
}:
{
  lib,
  config,
  options,
  ...
}:
let
  # Above what the configuration says, below lib.mkForce.
  override = lib.mkOverride 60;

  when = condition: settings: if condition then settings else { };

  # An interface with such a name exists only if the kernel's names stay.
  kernelName = name: builtins.match "eth[0-9]+" name != null;

  interfaces = builtins.attrNames (
    builtins.listToAttrs (
      map (ip: {
        name = ip.interface;
        value = null;
      }) staticIPs
    )
  );

  addresses =
    interface: v6:
    map (ip: { inherit (ip) address prefixLength; }) (
      builtins.filter (ip: ip.interface == interface && ip.v6 == v6) staticIPs
    );

  interfaceSettings =
    interface:
    let
      v4 = addresses interface false;
      v6 = addresses interface true;
    in
    lib.mkMerge [
      { networking.interfaces.${interface}.useDHCP = override false; }
      (when (v4 != [ ]) { networking.interfaces.${interface}.ipv4.addresses = override v4; })
      (when (v6 != [ ]) { networking.interfaces.${interface}.ipv6.addresses = override v6; })
    ];

  gateway =
    ip:
    when (ip ? gateway) {
      networking.${if ip.v6 then "defaultGateway6" else "defaultGateway"} = override {
        address = ip.gateway;
        inherit (ip) interface;
      };
    };

  nameservers = builtins.concatLists (map (ip: ip.dns or [ ]) staticIPs);
in
{
  _file = "the command line of livebuild";

  imports =
    (if mediaCheck then [ files.medium ] else [ ])
    ++ (if persistent != null then [ (files.persist persistent) ] else [ ]);

  config = lib.mkMerge (
    [
      (when (volumeID != null) { isoImage.volumeID = lib.mkForce volumeID; })
      # Just below lib.mkForce: of one that a configuration forces it is said that it differs.
      (when (sharedVolumeID != null) { isoImage.volumeID = lib.mkOverride 51 sharedVolumeID; })
      (when (kernelParams != [ ]) { boot.kernelParams = lib.mkAfter kernelParams; })
      (when (sshKeys != [ ]) {
        services.openssh.enable = override true;
        users.users.root.openssh.authorizedKeys.keys = sshKeys;
        # Installers of some releases have sshd, but do not start it.
        systemd.services.sshd = lib.mkIf (!(config.services.openssh.startWhenNeeded or false)) {
          wantedBy = lib.mkOverride 40 [ "multi-user.target" ];
        };
      })
      # Installed systems may refuse root, installers let root in.
      (when (sshKeys != [ ] && installed) (
        if options.services.openssh ? settings then
          { services.openssh.settings.PermitRootLogin = override "prohibit-password"; }
        else
          { services.openssh.permitRootLogin = override "prohibit-password"; }
      ))
      (when (nameservers != [ ]) { networking.nameservers = override nameservers; })
      (when (builtins.any kernelName interfaces) {
        networking.usePredictableInterfaceNames = override false;
      })
      # NetworkManager would ask for an address beside it.
      (when (interfaces != [ ] && options ? networking.networkmanager.unmanaged) {
        networking.networkmanager.unmanaged = map (name: "interface-name:${name}") interfaces;
      })
    ]
    ++ map interfaceSettings interfaces
    ++ map gateway staticIPs
  );
}
