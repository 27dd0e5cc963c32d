# A machine with a screen.
{
  services.desktopManager.plasma6.enable = true;
  services.displayManager.sddm = {
    enable = true;
    wayland.enable = true;
  };
  networking.networkmanager.enable = true;
}
