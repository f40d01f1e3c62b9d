"""The one parser: every command understands every option; what is wrong is a usage error."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.base.errors import ExitCode, UsageError
from validate.options import COMMANDS, DEFAULT_TARGET, parse


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_all_options(command: str) -> None:
    words = [command, "--target", "debian-bookworm", "--accel", "tcg", "--jobs", "2", "--keep", "--fix", "--refresh"]
    options = parse(words)
    assert options.targets == ("debian-bookworm",)
    assert options.accel == "tcg"
    assert (options.jobs, options.keep, options.fix, options.refresh) == (2, True, True, True)


def test_defaults() -> None:
    options = parse(["build"])
    assert options.targets == (DEFAULT_TARGET,)
    assert options.variants == ("baseline", "hardened")
    assert options.workload == ("reference",)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bild"],
        ["build", "--no-such-option"],
        ["build", "--jobs", "many"],
        ["build", "--jobs", "0"],
        ["validate", "--accel", "xen"],
        ["validate", "--image", "golden=/x"],
        ["validate", "--image", "baseline"],
        ["perf", "--soak", "-1"],
        ["perf", "--soak", "nan"],
        ["perf", "--soak", "2000"],
    ],
)
def test_wrong_words_are_usage_errors(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint


def test_ready_images() -> None:
    options = parse(["validate", "--image", "baseline=/a", "--image", "hardened=b/c"])
    assert options.image == {"baseline": Path("/a"), "hardened": Path("b/c")}
