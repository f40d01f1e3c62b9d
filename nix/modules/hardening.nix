# Options and checks of the hardening; each layer has a file of its own that places one part of `result`.
{ config, options, lib, pkgs, ... }:
let
  cfg = config.services.dots-family.hardening;
  policy = builtins.fromJSON (builtins.readFile cfg.policyFile);
  product = config.services.dots-family;
  vendor = options.services.dots-family ? enable;
  names = policy.product.binaries;
  layer = name: {
    inherit name;
    value.enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether the layer `${name}` of the hardening is in force.";
    };
  };
in
{
  imports = [
    # The hardening's guide writes it so; nixpkgs has it below `security`.
    (lib.mkAliasOptionModule [ "services" "auditd" "enable" ] [ "security" "auditd" "enable" ])
    ./account.nix
    ./apparmor.nix
    ./audit.nix
    ./bus.nix
    ./file.nix
    ./journal.nix
    ./kernel.nix
    ./mode.nix
    ./module.nix
    ./monthly.nix
    ./nft.nix
    ./sshd.nix
    ./sysctl.nix
    ./tuning.nix
    ./unit.nix
  ];

  options.services.dots-family.hardening = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = vendor && product.enable;
      defaultText = lib.literalExpression "config.services.dots-family.enable";
      description = "Whether to harden DOTS Family Mode and the system under it.";
    };
    level = lib.mkOption {
      type = lib.types.enum (builtins.attrNames (import ../lib/levels.nix));
      default = "strict";
      description = ''
        How far to go: `essential` sets the controls of critical and high severity, `standard` those of medium
        severity too, `strict` all of them.
      '';
    };
    layers = builtins.listToAttrs (map layer (import ../lib/layers.nix));
    waivers = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "kernel.debugfs" ];
      description = "Ids of controls that are not to be set; an unknown id fails the evaluation.";
    };
    package = lib.mkOption {
      type = lib.types.package;
      default =
        product.package
          or (throw "services.dots-family.hardening.package: nothing declares services.dots-family.package; import the vendor's module, or name the package here");
      defaultText = lib.literalExpression "config.services.dots-family.package";
      description = "The package whose programs AppArmor confines and the audit log watches.";
    };
    groups = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      example = {
        parents = "dots-family-parents";
        children = "dots-family-children";
      };
      description = "Names of the groups of parents and children, where the vendor's module calls them otherwise.";
    };
    policyFile = lib.mkOption {
      type = lib.types.path;
      default = ../policy.json;
      description = "The policy document; it is rendered from the same controls that harden Debian.";
    };
    result = lib.mkOption {
      type = lib.types.raw;
      internal = true;
      readOnly = true;
      description = "What the policy evaluates to, by layer.";
    };
  };

  config = {
    services.dots-family.hardening.result = import ../lib/policy.nix {
      inherit (cfg) policyFile level waivers groups;
      layers = lib.mapAttrs (_: one: one.enable) cfg.layers;
      binaries = lib.mapAttrs (_: path: "${cfg.package}/bin/${baseNameOf path}") names;
      closures = lib.mapAttrs (
        name: _: pkgs.apparmorRulesFromClosure { name = "dots-family-${name}"; } [ cfg.package ]
      ) names;
      tools = {
        false = "${pkgs.coreutils}/bin/false";
        id = "${pkgs.coreutils}/bin/id";
        kill = "${pkgs.coreutils}/bin/kill";
        loginctl = "${pkgs.systemd}/bin/loginctl";
        python3 = "${pkgs.python3}/bin/python3";
        systemctl = "${pkgs.systemd}/bin/systemctl";
      };
    };
    assertions = lib.mkIf cfg.enable (
      import ../lib/assertions.nix {
        inherit vendor;
        loaded = config.security.apparmor.enable;
        wanted = cfg.layers.apparmor.enable;
        paths = lib.mapAttrs (_: one: one.path or null) (
          lib.intersectAttrs (cfg.result.layers.apparmor.security.apparmor.policies or { }) config.security.apparmor.policies
        );
      }
    );
  };
}
