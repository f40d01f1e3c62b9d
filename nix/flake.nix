{
  description = "DOTS Family Mode: the hardening as NixOS modules, images with and without it, and their checks";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = make: lib.genAttrs systems (system: make system nixpkgs.legacyPackages.${system});
      machine =
        system: hardened:
        nixpkgs.lib.nixosSystem {
          inherit system;
          modules = [
            self.nixosModules.default
            ./image.nix
            {
              services.dots-family.enable = true;
              services.dots-family.hardening.enable = hardened;
            }
          ];
        };
    in
    {
      nixosModules = {
        default = ./modules/default.nix;
        hardening = ./modules/hardening.nix;
      };

      nixosConfigurations = {
        baseline = machine "x86_64-linux" false;
        hardened = machine "x86_64-linux" true;
        baseline-aarch64 = machine "aarch64-linux" false;
        hardened-aarch64 = machine "aarch64-linux" true;
      };

      packages = each (
        system: pkgs: {
          image-baseline = (machine system false).config.system.build.image;
          image-hardened = (machine system true).config.system.build.image;
          reference = pkgs.callPackage ./package.nix { };
        }
      );

      checks = each (
        _system: pkgs: {
          policy = pkgs.writeText "policy.json" (builtins.toJSON (import ./lib/policy.nix { }));

          # Boots the hardened configuration; test instrumentation makes it evidence of function only.
          boot = pkgs.testers.runNixOSTest {
            name = "dots-family-hardened";
            nodes.machine = {
              imports = [
                self.nixosModules.default
                ./checks/snippet.nix
              ];
            };
            testScript = ''
              machine.wait_for_unit("dots-family-daemon.service")
              machine.succeed("grep -q 'dots-family.daemon (enforce)' /sys/kernel/security/apparmor/profiles")
              machine.succeed("auditctl -l | grep -q dots-family-exec")
            '';
          };
        }
      );

      devShells = each (
        _system: pkgs: {
          default = pkgs.mkShell { packages = [ pkgs.nixfmt pkgs.statix pkgs.deadnix ]; };
        }
      );

      formatter = each (_system: pkgs: pkgs.nixfmt);
    };
}
