# One configuration with our modules on top of the given declarations, and what comes of it: messages of failed
# assertions, and every option that we set. Forcing a value checks that its option exists and takes it.
{ lib, pkgs, declarations, configuration, reference, arguments ? _: { } }:
let
  evaluated = lib.evalModules {
    modules = [
      ({ config, ... }: { _module.args = { inherit pkgs; } // arguments config; })
      (if reference then ../modules/default.nix else ../modules/hardening.nix)
      configuration
    ]
    ++ declarations;
  };
  inherit (evaluated) config;
  inherit (config.services.dots-family.hardening) result;
  units = lib.mapAttrs (_: one: { inherit (one) serviceConfig unitConfig after wantedBy; });
  ours = names: set: lib.intersectAttrs (lib.genAttrs names (_: null)) set;
in
{
  failed = map (one: one.message) (builtins.filter (one: !one.assertion) config.assertions);
  boot = {
    inherit (config.boot) kernelParams extraModprobeConfig;
    kernel = { inherit (config.boot.kernel) sysctl; };
  };
  environment = {
    etc = lib.mapAttrs (_: one: { inherit (one) text mode; }) config.environment.etc;
    inherit (config.environment) shellInit;
    systemPackages = map toString config.environment.systemPackages;
  };
  users = {
    users = lib.mapAttrs (_: one: { inherit (one) isSystemUser group home; }) config.users.users;
    groups = builtins.attrNames config.users.groups;
  };
  security = {
    loginDefs = { inherit (config.security.loginDefs) settings; };
    pam = { inherit (config.security.pam) loginLimits; };
    polkit = { inherit (config.security.polkit) enable extraConfig; };
    auditd = { inherit (config.security.auditd) enable; };
    audit = { inherit (config.security.audit) enable rules backlogLimit; };
    apparmor = {
      inherit (config.security.apparmor) enable;
      policies = lib.mapAttrs (_: one: { inherit (one) state; }) config.security.apparmor.policies;
    };
  };
  systemd = {
    services = units config.systemd.services;
    targets = lib.mapAttrs (_: one: { inherit (one) wantedBy; }) config.systemd.targets;
    timers = lib.mapAttrs (_: one: { inherit (one) wantedBy timerConfig; }) config.systemd.timers;
    packages = map toString config.systemd.packages;
    tmpfiles = { inherit (config.systemd.tmpfiles) rules; };
  };
  services = {
    openssh = { inherit (config.services.openssh) settings; };
    logrotate.settings = ours [ "dots-family" ] config.services.logrotate.settings;
    dbus = { inherit (config.services.dbus) apparmor; packages = map toString config.services.dbus.packages; };
  };
  inherit (result) controls places;
  lost = import ../lib/lost.nix result.layers config;
}
