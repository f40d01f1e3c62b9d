# A disk without a VM and without KVM: image.repart writes it as files. Access is by the credentials of the boot,
# as on Debian: the image holds no key and no password.
{ config, lib, pkgs, modulesPath, ... }:
let
  efi = pkgs.stdenv.hostPlatform.efiArch;
in
{
  imports = [ "${modulesPath}/image/repart.nix" ];
  boot.loader.grub.enable = false;
  boot.initrd.systemd.enable = true;
  boot.initrd.availableKernelModules = [ "virtio_pci" "virtio_blk" "virtio_scsi" "ext4" ];
  boot.kernelParams = [ "console=ttyS0" ];
  fileSystems."/" = {
    device = "/dev/disk/by-partlabel/root";
    fsType = "ext4";
  };
  services.openssh.enable = true;
  networking.useNetworkd = true;
  system.stateVersion = lib.mkDefault lib.trivial.release;
  image.repart = {
    name = "dots-family";
    partitions = {
      esp = {
        contents = {
          "/EFI/BOOT/BOOT${lib.toUpper efi}.EFI".source = "${pkgs.systemd}/lib/systemd/boot/efi/systemd-boot${efi}.efi";
          "/EFI/Linux/${config.system.boot.loader.ukiFile}".source = "${config.system.build.uki}/${config.system.boot.loader.ukiFile}";
        };
        repartConfig = {
          Type = "esp";
          Format = "vfat";
          SizeMinBytes = "256M";
        };
      };
      root = {
        storePaths = [ config.system.build.toplevel ];
        repartConfig = {
          Type = "root";
          Format = "ext4";
          Label = "root";
          Minimize = "guess";
        };
      };
    };
  };
}
