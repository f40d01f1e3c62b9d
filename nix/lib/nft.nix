# Packet filter: the rules, and the script that loads them with this machine's accounts, at boot and when they change.
{ policy, text, active, ... }:
let
  inherit (policy) nft;
  unit = "${policy.product.name}-egress";
  etc = path: builtins.substring 5 (builtins.stringLength path) path;
  words = builtins.concatStringsSep " " ([ nft.script.path nft.rules.path ] ++ map text.filled nft.words);
in
{
  environment.etc = {
    ${etc nft.rules.path}.text = text.joined (active nft.rules.segments);
    ${etc nft.script.path}.text = text.filled nft.script.text;
  };
  systemd.services.${unit} = {
    description = "DOTS Family Mode: packet filter for children's accounts";
    wantedBy = [ "multi-user.target" "nftables.service" ];
    after = [ "local-fs.target" "systemd-sysusers.service" "nftables.service" ];
    before = [ "systemd-user-sessions.service" ];
    serviceConfig = {
      Type = "oneshot";
      ExecStart = "${text.tool "python3"} -I ${words}";
      CapabilityBoundingSet = "CAP_NET_ADMIN";
      NoNewPrivileges = true;
      ProtectSystem = "strict";
      ProtectHome = true;
      PrivateTmp = true;
      PrivateDevices = true;
      RestrictAddressFamilies = [ "AF_UNIX" "AF_NETLINK" ];
      MemoryDenyWriteExecute = true;
    };
  };
  systemd.paths.${unit} = {
    description = "DOTS Family Mode: packet filter follows who is a child";
    wantedBy = [ "multi-user.target" ];
    pathConfig.PathChanged = [ "/etc/group" "/etc/passwd" "/etc/subuid" ];
  };
}
