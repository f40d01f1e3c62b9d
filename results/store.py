"""Run folders: made whole or not at all, and read back as if a stranger had written them."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from results.base.errors import ExitCode, InfrastructureError, UsageError
from results.falsification import FILE as FALSIFIED
from results.falsification import Falsification
from results.judges import FILE as JUDGES
from results.judges import Judges
from results.records import SCHEMA, Comparison, Findings, Phase, Probes, RunRecord, Samples, Variant, Verdict, Waivers
from results.waiving import waived

T = TypeVar("T", bound=BaseModel)

RUNS = Path("results/runs")
LATEST = "latest"
RECORD_LIMIT = 64 << 20
"""Bytes of the largest record that is read; a real one has a few hundred kilobytes."""

NEWEST = 20
"""How many run folders are looked through for former durations."""

VARIANTS: tuple[Variant, ...] = get_args(Variant)
PHASES: tuple[Phase, ...] = get_args(Phase)


def timestamp(now: datetime | None = None) -> str:
    """UTC in ISO 8601 with a `Z`, whole seconds."""
    return (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file that is there whole or not at all, even when we are killed in between; mode 0644.

    Raises `InfrastructureError` where the disk is full or the folder cannot be written.
    """
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}", "is there room, and may we write there?") from None
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return path


def as_json(value: BaseModel | Mapping[str, Any] | list[Any]) -> str:
    """JSON of a record or of plain data, ASCII only, so that no odd character can spoil a file.

    Raises `InfrastructureError` for what JSON cannot hold, such as a measure that is not a finite number.
    """
    plain = value.model_dump() if isinstance(value, BaseModel) else value
    try:
        return json.dumps(plain, indent=1, allow_nan=False) + "\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise InfrastructureError(f"a record cannot be written as JSON: {error}", "did the machine tell so?") from None


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that is under way."""

    path: Path
    record: RunRecord
    """As written at the start: `killed`. Finish with a copy of it that tells the truth."""

    def write(self, name: str, content: bytes | str | BaseModel | Mapping[str, Any]) -> Path:
        """Write one file of the run, whole; records and plain data as JSON."""
        ready = content if isinstance(content, (bytes, str)) else as_json(content)
        return write_whole(self.path / name, ready)

    def stage(self, variant: Variant, phase: Phase, name: str, content: BaseModel | Mapping[str, Any]) -> Path:
        """Write one file of one machine's phase, for example `facts.json`."""
        return self.write(f"{variant}/{phase}/{name}", content)

    def finish(self, record: RunRecord) -> Path:
        """Replace run.json by what the run came to."""
        return self.write("run.json", record)

    def conclude(self, verdict: Verdict, why: tuple[str, ...]) -> int:
        """Finish the folder of a session that got to its verdict; returns the exit code."""
        code = int(ExitCode.PASS if verdict is Verdict.PASS else ExitCode.FAIL)
        update = {"verdict": verdict, "why": why, "exit_code": code, "complete": True, "finished": timestamp()}
        self.finish(self.record.model_copy(update=update))
        return code


def create(root: Path, target: str, workload: str, *, git_commit: str = "", now: datetime | None = None) -> RunFolder:
    """Make the folder of a new run, with its run.json saying `killed` in it from the first moment on.

    Two runs that start in the same second get folders of their own. Raises `InfrastructureError`.
    """
    started = now or datetime.now(UTC)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", target)[:80]
    base = f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        made.chmod(0o755)
    except OSError as error:
        raise InfrastructureError(f"{root}: {error.strerror}", "`--results` names another folder") from None
    try:
        for number in range(1, 1000):
            run_id = base if number == 1 else f"{base}-{number}"
            record = RunRecord(
                id=run_id,
                target=target,
                workload=workload,
                started=timestamp(started),
                why=("the run was cut off before its end",),
                git_commit=git_commit,
            )
            write_whole(made / "run.json", as_json(record))
            if _took_name(made, root / run_id):
                _point_latest(root, run_id)
                return RunFolder(root / run_id, record)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    raise InfrastructureError(f"{root}: no free name for a run like {base}", "clear old runs away")


def _took_name(made: Path, wanted: Path) -> bool:
    """Rename the new folder; False where another run has that name.

    The kernel replaces no folder that has something in it, and ours all have, so no two runs share one.
    """
    try:
        made.rename(wanted)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise InfrastructureError(f"{wanted}: {error.strerror}", "may we write there?") from None
    return True


def _point_latest(root: Path, run_id: str) -> None:
    """Swap `latest` in one step, so that whoever reads it finds one run or the other."""
    latest = root / LATEST
    if latest.is_dir() and not latest.is_symlink():
        raise InfrastructureError(f"{latest}: is a folder, not our link", "move it away")
    temporary = root / f".{LATEST}-{run_id}"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(run_id)
        temporary.replace(latest)
    except OSError as error:
        raise InfrastructureError(f"{latest}: {error.strerror}", "does the file system know links?") from None


@dataclass(frozen=True)
class Stage:
    """What was stored of one machine in one phase; None for what is not there."""

    variant: Variant
    phase: Phase
    findings: Findings | None = None
    probes: Probes | None = None
    samples: Samples | None = None
    facts: bool = False


@dataclass(frozen=True)
class StoredRun:
    """One run as read back from its folder."""

    folder: Path
    record: RunRecord
    stages: tuple[Stage, ...] = ()
    comparison: Comparison | None = None
    files: Mapping[str, int] = field(default_factory=dict)
    """Every file beneath the folder, relative path to size in bytes."""
    falsification: Falsification | None = None
    """Evidence that every control's check can turn red, where somebody has put it there."""
    judges: Judges | None = None
    """What others say; `nox -s judges -- --run FOLDER` puts it there."""

    def stage(self, variant: Variant, phase: Phase) -> Stage | None:
        """One machine's phase."""
        return next((one for one in self.stages if (one.variant, one.phase) == (variant, phase)), None)

    @property
    def before(self) -> Stage | None:
        """The machine as shipped."""
        return self.stage("baseline", "before")

    @property
    def after(self) -> Stage | None:
        """The same one, deployed and rebooted."""
        return self.stage("baseline", "after")

    @property
    def baked(self) -> Stage | None:
        """The hardened image."""
        return self.stage("hardened", "after") or self.stage("hardened", "before")


def read_record(path: Path, shape: type[T]) -> T:
    """Read one record strictly. Raises `UsageError` that says what is wrong with which file."""
    data = _parsed(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: not a record", "is the file from a run folder?")
    version = data.get("schema_version", SCHEMA)
    if version != SCHEMA:
        raise UsageError(
            f"{path}: schema version {str(version)[:40]}, and this program reads version {SCHEMA}",
            "read it with the version of the program that wrote it",
        )
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:20]]
        raise UsageError("\n".join(lines), "was it changed by hand?") from None


def _parsed(path: Path) -> Any:
    """JSON of a file that may be anything: no link is followed, no device read, no NaN or infinity let in."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path}: not a regular file")
            if status.st_size > RECORD_LIMIT:
                raise UsageError(f"{path}: {status.st_size} bytes are more than a record can have ({RECORD_LIMIT})")
            return json.loads(file.read(RECORD_LIMIT + 1), parse_constant=_not_finite, parse_float=_finite)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "is it the folder of a run?") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {str(error)[:200]}", "was it cut off, or changed by hand?") from None


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text[:40])


def load_run(folder: Path) -> StoredRun:
    """Read a run's folder. What an incomplete run lacks is None; what is there and wrong is a `UsageError`."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such run", "`--run` takes a folder under results/runs/")
    folder = folder.resolve()
    files = dict(_files(folder))
    waivers = _optional(folder, "waivers.json", files, Waivers)
    stages = []
    for variant in VARIANTS:
        for phase in PHASES:
            at = f"{variant}/{phase}"
            if any(name.startswith(at + "/") for name in files):
                stages.append(
                    Stage(
                        variant,
                        phase,
                        _with_waivers(_optional(folder, f"{at}/findings.json", files, Findings), waivers),
                        _optional(folder, f"{at}/probes.json", files, Probes),
                        _optional(folder, f"{at}/samples.json", files, Samples),
                        facts=f"{at}/facts.json" in files,
                    )
                )
    return StoredRun(
        folder,
        read_record(folder / "run.json", RunRecord),
        tuple(stages),
        _optional(folder, "comparison.json", files, Comparison),
        files,
        _optional(folder, FALSIFIED, files, Falsification),
        judges=_optional(folder, JUDGES, files, Judges),
    )


def _with_waivers(record: Findings | None, waivers: Waivers | None) -> Findings | None:
    """The findings as a reader sees them; the file itself is the judgement alone."""
    if record is None or waivers is None:
        return record
    return record.model_copy(update={"findings": waived(record.findings, waivers)})


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Regular files, two folders deep; links and anything else are left out."""
    for path in sorted(folder.glob("*")) + sorted(folder.glob("*/*")) + sorted(folder.glob("*/*/*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), status.st_size


def _optional(folder: Path, name: str, files: Mapping[str, int], shape: type[T]) -> T | None:
    return read_record(folder / name, shape) if name in files else None


def previous_durations(root: Path = RUNS, target: str = "") -> dict[str, float]:
    """Seconds of each step in the newest finished run that has it, of `target` where one is named.

    Only for the progress display, so that what cannot be read is passed over.
    """
    found: dict[str, float] = {}
    with contextlib.suppress(OSError):
        folders = sorted((one for one in root.iterdir() if one.is_dir() and not one.is_symlink()), reverse=True)
        for folder in folders[:NEWEST]:
            with contextlib.suppress(UsageError):
                record = read_record(folder / "run.json", RunRecord)
                if record.complete and target in ("", record.target):
                    for step in record.steps:
                        if not step.failed:
                            found.setdefault(step.name, step.seconds)
    return found
