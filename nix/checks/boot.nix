# Boots the hardened configuration and runs our audit in it. Test instrumentation makes it evidence of function only:
# it empties root's password and turns log rotation off, so that the audit has findings here; it must be able to look.
{ self, audit }:
{
  name = "dots-family-hardened";
  nodes.machine =
    { config, pkgs, ... }:
    {
      imports = [
        self.nixosModules.default
        ./snippet.nix
      ];
      environment.systemPackages = [ (audit pkgs { inherit config; }) ];
    };
  testScript = ''
    machine.wait_for_unit("dots-family-daemon.service")
    machine.wait_for_unit("dots-family-filter.service")
    machine.succeed("grep -q 'dots-family.daemon (enforce)' /sys/kernel/security/apparmor/profiles")
    machine.succeed("auditctl -l | grep -q dots-family-exec")
    status, told = machine.execute("security-audit --json /tmp/audit.json")
    print(told)
    assert status in (0, 1, 2, 3), f"the audit could not look: exit status {status}"
  '';
}
