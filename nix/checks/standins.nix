# Evaluates the modules with the module system of a nixpkgs `lib` alone, and stand-ins for the options of nixpkgs
# that we set. It shows that modules, priorities and assertions work; it does not show that an option exists in
# nixpkgs, or with which type: for that see ./declared.nix.
{ nixpkgs, configuration ? { }, reference ? true }:
let
  lib = import (nixpkgs + "/lib");
  anything = default: lib.mkOption { type = lib.types.anything; inherit default; };
  free = lib.mkOption {
    type = lib.types.submodule { freeformType = lib.types.attrsOf lib.types.anything; };
    default = { };
  };
  each = options: lib.mkOption { type = lib.types.attrsOf (lib.types.submodule { inherit options; }); default = { }; };
  list = lib.mkOption { type = lib.types.listOf lib.types.anything; default = [ ]; };
  flag = anything false;
  declared = {
    assertions = list;
    environment = {
      shellInit = lib.mkOption { type = lib.types.lines; default = ""; };
      systemPackages = list;
      etc = each { text = anything null; source = anything null; mode = anything "symlink"; };
    };
    boot = {
      kernelParams = list;
      kernel.sysctl = free;
      extraModprobeConfig = lib.mkOption { type = lib.types.lines; default = ""; };
    };
    systemd = {
      packages = list;
      targets = each { wantedBy = list; };
      timers = each { wantedBy = list; timerConfig = free; description = anything ""; };
      paths = each { description = anything ""; wantedBy = list; pathConfig = free; };
      services = each { serviceConfig = free; unitConfig = free; description = anything ""; path = list; before = list; after = list; wantedBy = list; };
      tmpfiles.rules = list;
    };
    users = {
      users = each { isSystemUser = flag; group = anything ""; home = anything ""; };
      groups = free;
    };
    services = {
      openssh.settings = free;
      logrotate.settings = free;
      dbus = { packages = list; apparmor = flag; };
    };
    security = {
      polkit = { enable = flag; extraConfig = lib.mkOption { type = lib.types.lines; default = ""; }; };
      loginDefs.settings = free;
      pam.loginLimits = list;
      auditd.enable = flag;
      audit = { enable = flag; rules = list; backlogLimit = anything 0; };
      apparmor = {
        enable = flag;
        policies = each { state = anything ""; path = anything null; profile = anything ""; };
      };
    };
  };
in
import ./evaluate.nix {
  inherit lib configuration reference;
  pkgs = import ./packages.nix { inherit lib nixpkgs; };
  declarations = [ { options = declared; } ];
}
