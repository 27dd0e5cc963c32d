# A machine without.
{
  networking.firewall.allowedTCPPorts = [ 80 ];
  services.nginx = {
    enable = true;
    virtualHosts.default.root = "/srv/www";
  };
}
