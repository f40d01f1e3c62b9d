"""Reads and writes files of an ext4 file system inside a disk, with debugfs: no mount, no root."""

from __future__ import annotations

import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from images.disk import fixed_times
from images.layout import ROOT_OFFSET
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

HINT = "apt-get install e2fsprogs"
# What needs no quoting in debugfs, mtools or a shell, and cannot be taken for an option or an inode number.
SAFE_PATH = re.compile(r"(/[A-Za-z0-9._][A-Za-z0-9._@+:%,=~-]{0,253})+")
# debugfs does not follow links of the merged /usr when it makes folders.
MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Entry:
    """One name of a folder. `mode` has the type bits too."""

    inode: int
    mode: int
    uid: int
    gid: int
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder (and not a link to one)."""
        return stat.S_ISDIR(self.mode)


def safe_path(path: str) -> str:
    """The path, if it is absolute and plain; below /usr where Debian only has links to there.

    Raises `ValueError` for a hostile or odd one: `..`, blanks, quotes, line ends, control characters.
    """
    if not SAFE_PATH.fullmatch(path) or any(part in {".", ".."} for part in path.split("/")):
        raise ValueError(f"{path!a} is no plain absolute path")
    first = path.split("/")[1]
    return f"/usr{path}" if first in MERGED else path


def root_of(disk: Path) -> str:
    """The root file system inside the disk, as e2fsprogs take it."""
    if "?" in str(disk):
        raise InfrastructureError(f"{disk}: e2fsprogs cannot open a path with a question mark", "use another folder")
    return f"{disk}?offset={ROOT_OFFSET}"


def complaints(stderr: bytes) -> list[str]:
    """What debugfs complained about; it exits with 0 all the same, and always says its version."""
    lines = stderr.decode(errors="backslashreplace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("debugfs 1.")]


def script(device: str, commands: Sequence[str], *, folder: Path, write: bool, epoch: int, events: Events) -> bytes:
    """Run debugfs commands with `folder` as working folder; what they print. Complaints: see `complaints`."""
    (folder / "commands").write_text("".join(f"{command}\n" for command in commands), encoding="ascii")
    argv = ["debugfs", *(["-w"] if write else []), "-f", "commands", device]
    done = run(argv, events=events, cwd=folder, env=fixed_times(epoch), hint=HINT)
    said = complaints(done.stderr)
    if write and said:
        raise InfrastructureError("debugfs could not write the files", "the disk may be full", evidence="\n".join(said))
    return done.stdout


def parse_listing(lines: Iterable[str]) -> dict[str, Entry]:
    """What `ls -p` printed: /inode/mode/uid/gid/name/size/."""
    found = {}
    for line in lines:
        fields = line.split("/")
        if len(fields) == 8 and fields[5] not in {".", ".."}:
            size = int(fields[6] or 0)
            found[fields[5]] = Entry(int(fields[1]), int(fields[2], 8), int(fields[3]), int(fields[4]), size)
    return found


def folders(disk: Path, paths: Sequence[str], *, events: Events) -> dict[str, dict[str, Entry]]:
    """Folder to its entries, for those of `paths` that exist."""
    wanted = list(dict.fromkeys(safe_path(path) if path != "/" else path for path in paths))
    with tempfile.TemporaryDirectory(prefix="dots-ext4-") as folder:
        commands = [f"ls -p {path}" for path in wanted]
        out = script(root_of(disk), commands, folder=Path(folder), write=False, epoch=0, events=events)
    found: dict[str, dict[str, Entry]] = {}
    for part in out.decode(errors="backslashreplace").split("debugfs: ls -p ")[1:]:
        path, _, listing = part.partition("\n")
        entries = parse_listing(listing.splitlines())
        if "/" in listing:
            found[path.strip()] = entries
    return found


def entry_of(disk: Path, path: str, *, events: Events) -> Entry | None:
    """The entry of one path, or None."""
    parent, _, name = safe_path(path).rpartition("/")
    return folders(disk, [parent or "/"], events=events).get(parent or "/", {}).get(name)


def read_files(disk: Path, paths: Sequence[str], *, events: Events) -> dict[str, bytes]:
    """Contents of those of `paths` that are there (links are followed), in one go."""
    wanted = {path: safe_path(path) for path in paths}
    with tempfile.TemporaryDirectory(prefix="dots-ext4-") as name:
        folder = Path(name)
        commands = [f"dump {place} f{number}" for number, place in enumerate(wanted.values())]
        script(root_of(disk), commands, folder=folder, write=False, epoch=0, events=events)
        files = {path: folder / f"f{number}" for number, path in enumerate(wanted)}
        return {path: file.read_bytes() for path, file in files.items() if file.is_file()}


def ids(text: str) -> dict[str, int]:
    """Name to number, of /etc/passwd or /etc/group."""
    rows = (line.split(":") for line in text.splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit()}


def used_inodes(listing: str) -> Iterator[int]:
    """Inodes in use, from what dumpe2fs prints: all but the free ones."""
    count = re.search(r"^Inode count:\s+(\d+)$", listing, re.MULTILINE)
    free: set[int] = set()
    for line in re.findall(r"^  Free inodes: (.+)$", listing, re.MULTILINE):
        for part in line.split(", "):
            first, _, last = part.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    return (number for number in range(1, int(count[1]) + 1 if count else 0) if number not in free)


def level_times(device: Path, *, epoch: int, events: Events) -> None:
    """Set every time of every inode to `epoch`, but for modification times, which are the packages' own.

    mke2fs takes the times of change and access from the unpacked files: those of the build.
    """
    listing = run(["dumpe2fs", str(device)], events=events, hint=HINT).text
    numbers = [number for number in used_inodes(listing) if number == 2 or number > 10]
    names = ("atime", "ctime", "crtime")
    commands = [f"sif <{number}> {name} @{epoch}" for number in numbers for name in names]
    with tempfile.TemporaryDirectory(prefix="dots-ext4-") as folder:
        script(str(device.resolve()), commands, folder=Path(folder), write=True, epoch=epoch, events=events)


def mode_text(entry: Entry) -> str:
    """Permission bits, as records have them."""
    return f"{stat.S_IMODE(entry.mode):04o}"


def name_of(number: int, names: Mapping[str, int]) -> str:
    """The name for an id, or the number as text."""
    return next((name for name, value in names.items() if value == number), str(number))
