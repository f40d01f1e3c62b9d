"""`perf`: what the hardening costs, measured where host noise does not count, with how sure that is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from images.target import Target
from results.attest.keys import public_key
from results.base.errors import Interrupted, PipelineError, UsageError
from results.base.events import Events
from results.cost import folder as perf_folder
from results.cost import history, signed
from results.cost.judge import Clock, Judgement, conclude, judge, with_soaks
from results.cost.records import Note, PerfBoot, PerfMeasure, PerfRecord
from results.records import Conditions, Verdict
from results.report import render_run
from results.report.costs import render_folder
from results.store import load_run, timestamp
from results.terminal import Terminal
from results.text import one_line
from results.transcript import Transcript
from validate import requirements
from validate.benchmarks.costs import VERSION, costs
from validate.commands.build import chosen_targets
from validate.commands.validate import images_for
from validate.machine.accelerator import Accelerator, choose
from validate.options import Options
from validate.perf.attribution import attribute
from validate.perf.boots import Bench, attributing, interleaved
from validate.perf.budgets import load_budgets
from validate.perf.soaking import load_allowed, soak_both
from validate.perf.taken import taken
from validate.perf.tuning import earned, left_out, load_workloads
from validate.plan import Plan, load_plan
from validate.recorder import describe_host, git_commit

BOOTS = {"deterministic": 3, "wall": 5}
ROUNDS = 3
ATTRIBUTION_ROUNDS = 2
SEED = 1


@dataclass
class Keeper:
    """The record of a run while it goes on; every change is on the disk at once."""

    path: Path
    record: PerfRecord
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def update(self, **fields: object) -> PerfRecord:
        """Put these fields into the record."""
        self.record = self.record.model_copy(update={**fields, "seconds": round(time.monotonic() - self.began, 1)})
        perf_folder.write(self.path, self.record)
        return self.record

    def add(self, boot: PerfBoot) -> None:
        """Keep a boot as soon as it is over, on whichever thread."""
        with self.lock:
            self.update(boots=(*self.record.boots, boot))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Tell in the record how a run broke off, and let the error go on."""
        try:
            yield
        except PipelineError as error:
            why = ("the run broke off: there is no verdict",)
            code = int(error.exit_code)
            self.update(verdict=Verdict.NONE, why=why, exit_code=code, error=str(error)[:4000], finished=timestamp())
            raise
        except (Interrupted, KeyboardInterrupt) as error:
            self.update(verdict=Verdict.KILLED, error=str(error) or "Ctrl-C", finished=timestamp())
            raise


def clock_for(accelerator: Accelerator) -> Clock:
    """Instructions are counted by the emulator alone; with KVM there is the wall clock."""
    return "deterministic" if accelerator.name == "tcg" else "wall"


def judged(bench: Bench, keeper: Keeper) -> tuple[tuple[PerfMeasure, ...], Judgement]:
    """All measures of the boots so far, against their budgets."""
    budgets = load_budgets(bench.plan.product)
    seed = keeper.record.bootstrap_seed
    measures = tuple(
        judge(taken(cost, keeper.record.boots), budgets.get(cost.name), bench.clock, seed)
        for cost in costs(bench.plan.product)
    )
    return measures, conclude(measures)


def measure_target(target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal) -> int:
    """One target: boots, judgement, evidence. Returns the exit code."""
    load_allowed(plan.product)
    load_budgets(plan.product)  # what is wrong in it is told before anything boots
    accelerator = choose(options.accel, events=events)
    clock = clock_for(accelerator)
    now = datetime.now(UTC)
    path, record = perf_folder.create(options.results.parent / "perf", target.name, " ".join(options.workload), now)
    keeper = Keeper(path, record)
    with Transcript(path / "transcript.jsonl") as transcript:
        events.subscribe(transcript)
        try:
            with keeper.recording():
                return _run(target, plan, options, events, terminal, keeper, accelerator, clock)
        finally:
            events.unsubscribe(transcript)
            terminal.line(f"evidence: {path}")


def _run(
    target: Target,
    plan: Plan,
    options: Options,
    events: Events,
    terminal: Terminal,
    keeper: Keeper,
    accelerator: Accelerator,
    clock: Clock,
) -> int:
    with events.step("images"):
        images = images_for(target, plan, options, events)
    host = describe_host(accelerator.name, accelerator.reason, events)
    keeper.update(
        host=host,
        git_commit=git_commit(events),
        images={variant: one.record.sha256 for variant, one in images.items()},
        bootstrap_seed=SEED,
        conditions=Conditions(
            accelerator=accelerator.name,
            clock=clock,
            cpus=1,
            benchmark_version=VERSION,
            host=f"{host.cpu}, {host.kernel}, {host.qemu}",
        ),
    )
    bench = Bench(plan, images, accelerator, clock, keeper.path, events, options.jobs)
    boots = bench.boot_all(interleaved(options.boots or BOOTS[clock], options.rounds or ROUNDS), keeper.add)
    keeper.update(boots=tuple(boots))  # in the order of the pairs
    measures, judgement = judged(bench, keeper)
    keeper.update(measures=measures)
    if options.attribution:
        try:
            _attribute(bench, keeper, options, measures)
        except PipelineError as error:  # the verdict stands without it, and says what is missing
            events.emit("warning", f"no attribution: {error.what}")
            keeper.update(notes=(Note(text=f"No attribution: {one_line(error.what)}"),))
    if options.soak:
        keeper.update(soaks=soak_both(bench, options.soak * 60, SEED))
        judgement = with_soaks(judgement, keeper.record.soaks)
    keeper.update(verdict=judgement.verdict, why=judgement.why, exit_code=int(judgement.code))
    record = _remember(keeper, options, target)
    render_folder(keeper.path)
    if options.run:
        perf_folder.write(Path(options.run), record)
        render_run(Path(options.run))
    for line in perf_folder.lines(record):
        terminal.line(line)
    return record.exit_code


def _remember(keeper: Keeper, options: Options, target: Target) -> PerfRecord:
    """Compare with earlier runs, then become one of them."""
    path = options.results.parent / "history" / f"{target.name}.jsonl"
    newest = history.entry(keeper.record)
    if newest is None:
        return keeper.update(finished=timestamp())
    notes, series = history.look_back(history.read(path), newest)
    history.append(path, newest)
    notes += _since_release(keeper.record, options, target)
    return keeper.update(notes=(*keeper.record.notes, *notes), history=series, finished=timestamp())


def _since_release(record: PerfRecord, options: Options, target: Target) -> tuple[Note, ...]:
    """Against the last run that was signed with `--key`, if one is named."""
    if not options.key:
        return ()
    last, passed_over = signed.last_signed(options.results, target.name, public_key(Path(options.key)))
    if last is None:
        return (*passed_over, Note(text="No signed run with costs to compare with."))
    return (*passed_over, *signed.compare(last, record))


def _attribute(bench: Bench, keeper: Keeper, options: Options, measures: Sequence[PerfMeasure]) -> None:
    """More boots of the hardened image, each without one layer or with layers left out in turn."""
    boots = keeper.record.boots
    untuned = next((one.sysctl for one in boots if one.side == "baseline"), {})
    table = costs(bench.plan.product)
    workloads = load_workloads(bench.plan, [one.name for one in table])
    tuning = left_out(bench.plan, table, workloads, untuned)
    more = bench.boot_all(attributing(min(options.rounds or ROUNDS, ATTRIBUTION_ROUNDS), untuned, tuning))
    hardened = [one for one in boots if one.side == "hardened"]
    found = attribute(table, {one.name: one for one in measures}, hardened, more)
    groups = earned(bench.plan, table, workloads, untuned, more[0])
    keeper.update(attribution_boots=tuple(more), attribution=tuple(found), tuning=tuple(groups))


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Measure every chosen target; the worst exit code counts."""
    plan = load_plan(options.product)
    targets = chosen_targets(options)
    if options.key:
        public_key(Path(options.key))  # what is wrong with it is told before anything boots
    requirements.require()
    if options.run and load_run(Path(options.run)).record.target not in {target.name for target in targets}:
        raise UsageError(f"--run {options.run}: is of another target", "--target names what is measured")
    return max(measure_target(target, plan, options, events, terminal) for target in targets)
