# A disk without a VM and without KVM: image.repart writes it as files. UEFI, uninstrumented, and the same access as
# on Debian: the image holds no key and no password, the credentials of the boot bring both.
#
#   variant  `baseline` or `hardened`: the system that boots
#   also     other systems on the same disk, by variant; `bootctl set-default dots-family-VARIANT.efi` chooses one
{ variant, also ? { } }:
{ config, lib, pkgs, modulesPath, ... }:
let
  efi = pkgs.stdenv.hostPlatform.efiArch;
  console = if efi == "aa64" then "ttyAMA0" else "ttyS0";
  kernels = lib.mapAttrs' (
    name: system: {
      name = "/EFI/Linux/dots-family-${name}.efi";
      value.source = "${system.system.build.uki}/${system.system.boot.loader.ukiFile}";
    }
  ) (also // { ${variant} = config; });
  # What the examination calls by a path that every other system has.
  named = name: "L+ /usr/bin/${name} - - - - /run/current-system/sw/bin/${name}";
in
{
  imports = [ "${modulesPath}/image/repart.nix" ];
  boot = {
    loader.grub.enable = false;
    initrd.systemd.enable = true;
    initrd.availableKernelModules = [ "virtio_pci" "virtio_blk" "virtio_scsi" "virtio_net" "ext4" "vfat" ];
    kernelParams = [ "console=${console}" "systemd.show_status=1" ];
  };
  fileSystems = {
    "/" = { device = "/dev/disk/by-partlabel/root"; fsType = "ext4"; };
    "/boot" = { device = "/dev/disk/by-partlabel/esp"; fsType = "vfat"; options = [ "umask=0077" ]; };
  };
  services.openssh = {
    enable = true;
    hostKeys = [ { path = "/etc/ssh/ssh_host_ed25519_key"; type = "ed25519"; } ];
  };
  networking = { hostName = "dots-family"; useNetworkd = true; useDHCP = true; };
  # nixpkgs leaves systemd's own rule for this credential out.
  systemd.tmpfiles.rules = [
    "d /root/.ssh 0700 root root -"
    "f^ /root/.ssh/authorized_keys 0600 root root - ssh.authorized_keys.root"
  ]
  ++ map named [ "python3" "sleep" "true" ];
  environment.systemPackages = [ pkgs.python3 ];
  nix.enable = false;
  system.stateVersion = lib.mkDefault lib.trivial.release;
  image.repart = {
    name = "dots-family";
    partitions = {
      "10-esp" = {
        contents = kernels // {
          "/EFI/BOOT/BOOT${lib.toUpper efi}.EFI".source = "${pkgs.systemd}/lib/systemd/boot/efi/systemd-boot${efi}.efi";
          "/loader/loader.conf".source = pkgs.writeText "loader.conf" ''
            timeout 0
            default dots-family-${variant}.efi
          '';
        };
        repartConfig = { Type = "esp"; Format = "vfat"; Label = "esp"; SizeMinBytes = "512M"; };
      };
      "20-root" = {
        storePaths = map (system: system.system.build.toplevel) ([ config ] ++ builtins.attrValues also);
        repartConfig = { Type = "root"; Format = "ext4"; Label = "root"; SizeMinBytes = "6G"; };
      };
    };
  };
}
