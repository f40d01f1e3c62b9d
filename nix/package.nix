# The reference workload from the same sources as Debian's package. Its bus policy is left out: the hardening
# places one, and rules of two files for one name add up.
{ stdenv, pkg-config, systemd, sqlite, libxcrypt, coreutils, withBusPolicy ? false, lib }:
stdenv.mkDerivation {
  pname = "dots-family-reference";
  version = "1.0.0";
  src = ../images/workload/reference;
  nativeBuildInputs = [ pkg-config ];
  buildInputs = [ systemd sqlite libxcrypt ];
  buildPhase = ''
    runHook preBuild
    cd src
    build() {
      program=$1
      libraries=$2
      shift 2
      $CC -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra "$@" -o "../dots-family-$program" $libraries
    }
    build daemon "-lsystemd -lsqlite3 -lcrypt" main.c bus.c bus_family.c bus_parents.c bus_health.c database.c ebpf.c policy.c common.c
    build monitor "-lsystemd" monitor.c common.c
    build ctl "-lsystemd" ctl.c common.c
    build filter "-lsystemd -lpthread" filter/main.c filter/serve.c filter/request.c filter/upstream.c filter/blocklist.c common.c
    cd ..
    runHook postBuild
  '';
  installPhase = ''
    runHook preInstall
    install -Dm755 -t "$out/bin" dots-family-daemon dots-family-monitor dots-family-ctl dots-family-filter
    mkdir -p "$out/lib/systemd/system"
    cp package/root/usr/lib/systemd/system/* "$out/lib/systemd/system/"
    substituteInPlace "$out"/lib/systemd/system/*.service \
      --replace-quiet /usr/bin/systemctl ${systemd}/bin/systemctl \
      --replace-quiet /usr/bin/dots-family "$out/bin/dots-family" \
      --replace-quiet /bin/kill ${coreutils}/bin/kill
    ${lib.optionalString withBusPolicy "install -Dm644 -t \"$out/share/dbus-1/system.d\" package/root/usr/share/dbus-1/system.d/*"}
    runHook postInstall
  '';
  meta = {
    description = "Stand-in for DOTS Family Mode that its hardening is validated with";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" "aarch64-linux" ];
  };
}
