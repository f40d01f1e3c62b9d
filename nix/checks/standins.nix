# Evaluates the modules with the module system of a nixpkgs `lib`, and stand-ins for the options of nixpkgs that
# we set and for packages. It shows that modules, priorities and assertions work; it does not show that an
# option exists in nixpkgs, or with which type: for that see ./options.nix.
{ nixpkgs, configuration ? { }, reference ? true }:
let
  lib = import (nixpkgs + "/lib");
  package = name: {
    type = "derivation";
    outPath = "/nix/store/stand-in-${name}";
    inherit name;
  };
  pkgs = {
    coreutils = package "coreutils";
    systemd = package "systemd";
    callPackage = _file: _arguments: package "dots-family";
    apparmorRulesFromClosure = { name }: _packages: "/nix/store/stand-in-${name}-rules";
    writeTextDir = path: _text: package (baseNameOf path);
  };
  free = lib.mkOption {
    type = lib.types.submodule { freeformType = lib.types.attrsOf lib.types.anything; };
    default = { };
  };
  list = lib.mkOption {
    type = lib.types.listOf lib.types.anything;
    default = [ ];
  };
  flag = lib.mkOption {
    type = lib.types.anything;
    default = false;
  };
  declared = {
    assertions = list;
    environment = { systemPackages = list; etc = free; };
    boot = {
      kernelParams = list;
      kernel.sysctl = free;
      extraModprobeConfig = lib.mkOption { type = lib.types.lines; default = ""; };
    };
    systemd = { packages = list; targets = free; timers = free; services = free; tmpfiles.rules = list; };
    users = { users = free; groups = free; };
    services = {
      openssh.settings = free;
      logrotate.settings = free;
      dbus = { packages = list; apparmor = flag; };
    };
    security = {
      polkit = free;
      auditd.enable = flag;
      audit = { enable = flag; rules = list; backlogLimit = flag; };
      apparmor = { enable = flag; policies = free; };
    };
  };
  evaluated = lib.evalModules {
    specialArgs = { inherit pkgs; };
    modules = [
      { options = declared; }
      (if reference then ../modules/default.nix else ../modules/hardening.nix)
      configuration
    ];
  };
  inherit (evaluated) config;
in
{
  failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
  inherit (config) boot users security;
  systemd = { inherit (config.systemd) services tmpfiles; };
  services = { inherit (config.services) openssh logrotate; };
  inherit (config.services.dots-family.hardening.result) controls;
}
