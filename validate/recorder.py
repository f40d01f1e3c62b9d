"""Keeps what run.json tells of a run while the run goes on: steps, boots, images, and how it ended."""

from __future__ import annotations

import os
import platform
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from results.base.errors import ExitCode, Interrupted, PipelineError
from results.base.events import Event, Events
from results.base.load import cpu_seconds
from results.base.process import run, which
from results.records import BootRecord, HostRecord, ImageRecord, RunRecord, StepRecord, Variant, Verdict
from results.store import RunFolder, timestamp


@dataclass
class Recorder:
    """Mutable state of one run; subscribes to events for the steps, which may come from several threads."""

    host: HostRecord | None = None
    images: dict[str, ImageRecord] = field(default_factory=dict)
    boots: dict[Variant, list[BootRecord]] = field(default_factory=lambda: {"baseline": [], "hardened": []})
    steps: list[StepRecord] = field(default_factory=list)
    _open: dict[int, list[float]] = field(default_factory=dict)
    """Of each thread, how much CPU was used when its open steps began."""
    _waited: float = 0.0
    _spanned: float = 0.0
    _looked: tuple[float, float] | None = None
    """Time and CPU at the last look, while a step is open."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Event) -> None:
        """Note each step's end, and what was used of the CPU meanwhile, for whichever step."""
        if event.kind not in ("step-start", "step-end", "step-failed"):
            return
        with self._lock:
            used = cpu_seconds()
            self._look(used)
            mine = self._open.setdefault(threading.get_ident(), [])
            if event.kind == "step-start":
                mine.append(used)
            elif event.seconds is not None:
                self._ended(event, max(0.0, used - mine.pop()) if mine else None)
            if not any(self._open.values()):
                self._looked = None

    def _look(self, used: float) -> None:
        """Between two looks no core worked for us for at least as long as the time exceeds the CPU."""
        now = time.monotonic()
        if self._looked is not None:
            span = now - self._looked[0]
            self._spanned += span
            self._waited += max(0.0, span - (used - self._looked[1]))
        self._looked = (now, used)

    def _ended(self, event: Event, cpu: float | None) -> None:
        seconds = event.seconds or 0.0
        self.steps.append(
            StepRecord(
                name=event.text,
                started=timestamp(datetime.fromtimestamp(event.at - seconds, UTC)),
                seconds=round(seconds, 3),
                failed=event.kind == "step-failed",
                cpu=None if cpu is None else round(cpu, 2),
            )
        )

    @contextmanager
    def recording(self, folder: RunFolder) -> Iterator[None]:
        """Write into run.json how a run broke off, with the evidence so far, and let the error go on."""
        code = int(ExitCode.INFRASTRUCTURE)
        try:
            yield
        except PipelineError as error:
            why = ("the run broke off: there is no verdict",)
            self.finish(folder, Verdict.NONE, why, int(error.exit_code), str(error))
            raise
        except (Interrupted, KeyboardInterrupt) as error:
            self.finish(folder, Verdict.KILLED, ("the run was interrupted",), code, str(error) or "Ctrl-C")
            raise

    def finish(
        self, folder: RunFolder, verdict: Verdict, why: tuple[str, ...], exit_code: int, error: str = ""
    ) -> RunRecord:
        """Write run.json as the run ended, and return it. Only a run with a verdict is complete."""
        record = folder.record.model_copy(
            update={
                "finished": timestamp(),
                "verdict": verdict,
                "why": why,
                "exit_code": exit_code,
                "complete": verdict in (Verdict.PASS, Verdict.FAIL),
                "error": error,
                "host": self.host,
                "images": self.images,
                "boots": (*self.boots["baseline"], *self.boots["hardened"]),
                "steps": tuple(self.steps),
                "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "idle": round(self._waited / self._spanned, 4) if self._spanned else None,
            }
        )
        folder.finish(record)
        return record


def describe_host(accelerator: str, reason: str, events: Events) -> HostRecord:
    """What this host is; `reason` says why that accelerator."""
    qemu = "none"
    if which("qemu-system-x86_64"):
        qemu = run(["qemu-system-x86_64", "--version"], events=events).text.splitlines()[0]
    return HostRecord(
        cpu=_cpu_model(),
        cpus=os.cpu_count() or 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        qemu=qemu,
        python=platform.python_version(),
        accelerator=accelerator,
        accelerator_reason=reason,
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def git_commit(events: Events) -> str:
    """The commit that the pipeline itself is at, with `-dirty` where the tree was changed; empty without git."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists() or not which("git"):
        return ""
    done = run(["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"], events=events, check=False)
    return done.text.strip() if done.status == 0 else ""
