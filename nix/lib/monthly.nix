# The monthly audit, with the sandbox and the times that it has on Debian (harden/guest/units).
{ program }:
{
  service = {
    Type = "oneshot";
    ExecStart = "${program} --folder /var/log/dots-family-hardening";
    # 1 to 3 tell how bad the findings are; the audit itself has worked.
    SuccessExitStatus = "1 2 3";
    SyslogIdentifier = "dots-family-security";
    LogsDirectory = "dots-family-hardening";
    LogsDirectoryMode = "0700";
    UMask = "0077";
    NoNewPrivileges = "yes";
    IPAddressDeny = "any";
    MemoryMax = "512M";
    TimeoutStartSec = "5min";
  };
  timer = {
    OnCalendar = "monthly";
    RandomizedDelaySec = "1h";
    Persistent = "true";
  };
}
