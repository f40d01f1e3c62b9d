{
  description = "DOTS Family Mode: the hardening as NixOS modules, images with and without it, and their checks";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each =
        make:
        builtins.listToAttrs (
          map (system: { name = system; value = make system nixpkgs.legacyPackages.${system}; }) systems
        );

      # One system as it is released; `also` lies on its disk beside it.
      machine =
        system: variant: also:
        nixpkgs.lib.nixosSystem {
          inherit system;
          modules = [
            self.nixosModules.default
            (import ./image.nix { inherit variant also; })
            {
              services.dots-family.enable = true;
              services.dots-family.hardening.enable = variant == "hardened";
            }
          ];
        };
      hardened = system: machine system "hardened" { };
      baseline = system: machine system "baseline" { hardened = (hardened system).config; };

      placesOf = one: one.config.services.dots-family.hardening.result.places;
      audit = pkgs: one: pkgs.callPackage ./security-audit.nix { places = placesOf one; };

      # What `--image VARIANT=FOLDER` takes, but for image.json, which the pipeline writes.
      image =
        pkgs: variant: one:
        pkgs.runCommand "dots-family-${variant}" { places = builtins.toJSON (placesOf one); passAsFile = [ "places" ]; } ''
          mkdir "$out"
          ln -s ${one.config.system.build.image}/${one.config.image.fileName} "$out/disk.raw"
          cp "$placesPath" "$out/nixos.json"
        '';

      holds =
        pkgs: name: found:
        if found == [ ] then
          pkgs.writeText name "holds\n"
        else
          throw "${name}: ${builtins.concatStringsSep "; " found}";
      evaluated =
        file: reference:
        let
          result = import ./checks/declared.nix {
            inherit reference;
            nixpkgs = nixpkgs.outPath;
            configuration = import file;
          };
        in
        result.failed ++ result.lost;
    in
    {
      nixosModules = {
        default = ./modules/default.nix;
        hardening = ./modules/hardening.nix;
      };

      nixosConfigurations = {
        baseline = baseline "x86_64-linux";
        hardened = hardened "x86_64-linux";
        baseline-aarch64 = baseline "aarch64-linux";
        hardened-aarch64 = hardened "aarch64-linux";
      };

      packages = each (
        system: pkgs: {
          image-baseline = image pkgs "baseline" (baseline system);
          image-hardened = image pkgs "hardened" (hardened system);
          security-audit = audit pkgs (hardened system);
          reference = pkgs.callPackage ./package.nix { };
        }
      );

      checks = each (
        system: pkgs: {
          policy = pkgs.writeText "policy.json" (builtins.toJSON (import ./lib/policy.nix { }));
          snippet = holds pkgs "snippet" (evaluated ./checks/snippet.nix true);
          on-vendor = holds pkgs "on-vendor" (evaluated ./checks/on-vendor.nix false);
          system = holds pkgs "system" (import ./checks/options.nix { nixpkgs = nixpkgs.outPath; inherit system; }).failed;
          boot = pkgs.testers.runNixOSTest (import ./checks/boot.nix { inherit self audit; });
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
