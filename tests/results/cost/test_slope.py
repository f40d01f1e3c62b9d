from __future__ import annotations

import random

import pytest

from results.base.errors import ExitCode
from results.cost.judge import Judgement, with_soaks
from results.cost.records import Side, Soak
from results.cost.slope import judge, slope
from results.records import Verdict

AT = [10.0 * number for number in range(61)]
KIB = 1024
PAGE = 4096


def held(per_minute: float, *, noise: int = 0, step_at: int = 0, seed: int = 3) -> list[tuple[int, int, int]]:
    """A service that begins with 9 MB, gains so many bytes a minute, and holds whole pages."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    made = []
    for number, when in enumerate(AT):
        bytes_ = 9_000_000 + per_minute * when / 60 + source.randint(-noise, noise) + (number < step_at) * -2_000_000
        made.append((int(bytes_ // PAGE * PAGE), 12, 3))
    return made


def test_the_slope_is_the_line_s() -> None:
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == 2
    assert slope([0, 1, 2, 3, 4], [5, 7, 900, 11, 13]) == 2  # one spike moves nothing


@pytest.mark.parametrize("noise", [0, 3 * PAGE])
def test_a_leak_is_found_and_a_steady_service_is_within_its_budget(noise: int) -> None:
    leaking = judge("daemon", AT, held(96 * KIB, noise=noise), 32 * KIB, 1)
    assert leaking.verdict == "regressed"
    assert leaking.slope == pytest.approx(96 * KIB, rel=0.1)
    assert leaking.interval is not None
    assert leaking.interval[0] <= (leaking.slope or 0) <= leaking.interval[1]
    assert judge("daemon", AT, held(0, noise=noise), 32 * KIB, 1).verdict == "within budget"


def test_ten_steady_services_raise_no_alarm() -> None:
    found = [judge("daemon", AT, held(0, noise=40 * PAGE, seed=seed), 32 * KIB, seed).verdict for seed in range(10)]
    assert "regressed" not in found


def test_caches_that_fill_at_first_are_no_leak() -> None:
    assert judge("daemon", AT, held(0, step_at=15), 32 * KIB, 1).verdict == "within budget"


def test_too_much_noise_cannot_tell() -> None:
    found = judge("daemon", AT, held(40 * KIB, noise=400 * PAGE), 32 * KIB, 1)
    assert (found.verdict, "KiB a minute, 32 are allowed" in found.why) == ("inconclusive", True)


def test_descriptors_that_only_grow_are_found() -> None:
    steady = held(0)
    growing = [(memory, 12 + number // 10, tasks) for number, (memory, _, tasks) in enumerate(steady)]
    found = judge("filter", AT, growing, 32 * KIB, 1)
    assert found.verdict == "regressed"
    assert "descriptors" in found.why
    waving = [(memory, 12 + number % 4, tasks) for number, (memory, _, tasks) in enumerate(steady)]
    assert judge("filter", AT, waving, 32 * KIB, 1).verdict == "within budget"


@pytest.mark.parametrize("looks", [0, 1, 10])
def test_too_few_looks_are_no_verdict(looks: int) -> None:
    found = judge("daemon", AT[:looks], held(0)[:looks], 32 * KIB, 1)
    assert (found.verdict, found.slope, found.interval) == ("inconclusive", None, None)
    assert "looks of at least 12" in found.why


def test_it_is_the_same_for_the_same_seed() -> None:
    series = held(20 * KIB, noise=20 * PAGE)
    assert judge("daemon", AT, series, 32 * KIB, 7) == judge("daemon", AT, series, 32 * KIB, 7)


PASSED = Judgement(Verdict.PASS, ("all 3 measures are within it",), ExitCode.PASS)
FAILED = Judgement(Verdict.FAIL, ("Ping: regressed",), ExitCode.FAIL)


def soaked(side: Side, per_minute: float, looks: int = 61) -> Soak:
    unit = judge("daemon", AT[:looks], held(per_minute)[:looks], 32 * KIB, 1)
    return Soak(side=side, boot_id="1", at=tuple(AT[:looks]), turns=1, units=(unit,))


@pytest.mark.parametrize(
    ("before", "soak", "verdict", "reasons"),
    [
        (PASSED, soaked("hardened", 0), Verdict.PASS, 1),
        (PASSED, soaked("hardened", 96 * KIB), Verdict.FAIL, 1),
        (FAILED, soaked("hardened", 96 * KIB), Verdict.FAIL, 2),
        (PASSED, soaked("hardened", 0, looks=5), Verdict.NONE, 1),
        (FAILED, soaked("hardened", 0, looks=5), Verdict.FAIL, 1),
        (PASSED, soaked("baseline", 96 * KIB), Verdict.PASS, 1),  # the vendor's own: shown, not judged
    ],
)
def test_what_the_hardened_machine_gains_counts(before: Judgement, soak: Soak, verdict: Verdict, reasons: int) -> None:
    found = with_soaks(before, [soak])
    assert (found.verdict, len(found.why)) == (verdict, reasons)
