"""Where packages come from: the host's own apt configuration, or the target's file. No host name stands here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from images.target import Target
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

# Names under which Debian's archive has had suites since bookworm's predecessor; anything else is someone else's.
SUITES = frozenset(
    (
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    )
)
SCHEMES = ("http:", "https:", "file:", "copy:", "mirror:", "mirror+file:", "mirror+http:", "mirror+https:")
NO_MIRROR_HINT = (
    "give apt one (deb lines with Debian's own keyring in /etc/apt/sources.list), "
    "or write `mirror: {archive: URL, security: URL}` into the target's file"
)


@dataclass(frozen=True)
class Source:
    """One entry of apt's configuration, of one URI and one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False
    """`trusted=yes`: its owner has turned signatures off, so it is not ours to use."""

    @property
    def codename(self) -> str:
        """The suite without `-updates`, `-security` and the like."""
        return re.split(r"[-/]", self.suite, maxsplit=1)[0]

    @property
    def is_security(self) -> bool:
        """Whether it has the security updates."""
        return self.suite.endswith(("-security", "/updates"))


def parse_one_line(text: str) -> Iterator[Source]:
    """Entries of a `sources.list`; lines that make no sense are apt's to complain about."""
    for raw in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)", raw.split("#")[0].strip())
        if match:
            options = dict(word.partition("=")[::2] for word in (match[1] or "").split())
            yield Source(
                match[2],
                match[3],
                tuple(match[4].split()),
                options.get("signed-by", ""),
                options.get("trusted", "").lower() == "yes",
            )


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')}\n{line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            yield fields


def parse_deb822(text: str) -> Iterator[Source]:
    """Entries of a `.sources` file, one for each URI and suite."""
    for fields in _stanzas(text):
        off = fields.get("enabled", "yes").lower() in {"no", "false", "0", "off", "without", "disable"}
        if off or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(
                    uri,
                    suite,
                    tuple(fields.get("components", "").split()),
                    fields.get("signed-by", ""),
                    fields.get("trusted", "").lower() == "yes",
                )


def host_sources(etc: Path) -> tuple[Source, ...]:
    """Every entry of the host's apt configuration; `etc` is /etc/apt."""
    found: list[Source] = []
    parts = sorted((etc / "sources.list.d").glob("*")) if (etc / "sources.list.d").is_dir() else []
    for path in (etc / "sources.list", *parts):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            found += parse_one_line(text)
        elif path.suffix == ".sources":
            found += parse_deb822(text)
    return tuple(found)


def is_debian(source: Source) -> bool:
    """Whether an entry is Debian's own archive, by suite, component and key.

    Not a matter of trust: whatever is chosen is verified with Debian's keyring. This only avoids asking others.
    """
    key = source.signed_by
    ours = not key or "debian-archive" in key
    scheme = source.uri.startswith(SCHEMES)
    return scheme and ours and not source.trusted and source.codename in SUITES and "main" in source.components


def _plain(uri: str) -> str:
    """The URI that stands behind a `mirror+file:` list, as the image could not follow it, without its end slash."""
    if uri.startswith(("mirror+file:", "mirror:file:")):
        path = Path("/" + uri.split(":", 1)[1].removeprefix("file:").lstrip("/"))
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        words = [line.split()[0] for line in lines if line.split() and not line.startswith("#")]
        uri = words[0] if words else uri
    return uri.rstrip("/")


def _best(sources: Sequence[Source]) -> str | None:
    """An entry that names Debian's keyring is surer to be Debian's than one that names none."""
    ordered = sorted(sources, key=lambda source: "debian-archive" not in source.signed_by)
    return _plain(ordered[0].uri) if ordered else None


def discover(target: Target, etc: Path = Path("/etc/apt")) -> tuple[str, ...]:
    """One-line sources of the target's suite: main, updates and, where the mirror has them, security.

    Raises `InfrastructureError` when the host's apt knows no Debian mirror, or the keyring is missing.
    """
    if not Path(target.keyring).is_file():
        raise InfrastructureError(
            f"{target.keyring}: no such keyring, so the mirror could not be verified",
            "apt-get install debian-archive-keyring, or name another `keyring:` in the target's file",
        )
    if target.mirror:
        archive, security = target.mirror.archive.rstrip("/"), target.mirror.security
    else:
        debian = [source for source in host_sources(etc) if is_debian(source)]
        found = _best([source for source in debian if not source.is_security])
        if found is None:
            raise InfrastructureError(f"the host's apt configuration ({etc}) has no Debian mirror", NO_MIRROR_HINT)
        archive, security = found, _best([source for source in debian if source.is_security])
    option = f"[signed-by={target.keyring}]"
    lines = [f"deb {option} {archive} {suite} main" for suite in (target.suite, f"{target.suite}-updates")]
    if security:
        lines.append(f"deb {option} {security.rstrip('/')} {target.suite}-security main")
    return tuple(lines)


def without_secrets(line: str) -> str:
    """A source line that may stand in an image or a record: user name and password are taken out of its URI."""

    def bare(match: re.Match[str]) -> str:
        parts = urlsplit(match[0])
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    return re.sub(r"\S+://\S+", bare, line)


def connection_settings(events: Events) -> str:
    """The host apt's proxies, and short waits, as apt configuration for use while building only."""
    # Entries hold a proxy or "DIRECT"; everything else of the host's settings would not fit the target's apt.
    dump = run(["apt-config", "dump", "--format", '%F "%v";%n'], events=events, hint="apt-get install apt").text
    wanted = re.compile(r'Acquire::https?::(Proxy|proxy)(::[A-Za-z0-9.-]+)? "[^"\n]+";')
    proxies = [line for line in dump.splitlines() if wanted.fullmatch(line)]
    waits = [f'Acquire::{scheme}::Timeout "15";' for scheme in ("http", "https")]
    return "\n".join([*proxies, *waits, 'Acquire::Retries "2";', ""])
