"""Errors as a person meets them: what went wrong with what, and what to do about it.

The exit codes are a contract (README, "Exit codes"). "The check failed" is never an exception: it is a
finding in a record. These types are for "the tool could not do its work".
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `python -m validate` ends with."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INFRASTRUCTURE = 3


class PipelineError(Exception):
    """One line of what went wrong with what, one line of what to do.

    A traceback that reaches a person means a bug in this project; everything foreseen is one of the
    two kinds below.
    """

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, hint: str = "", *, evidence: str = "") -> None:
        """Keep the two lines apart; `evidence` is quoted text (a console's tail), possibly long."""
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.evidence = evidence

    def __str__(self) -> str:
        """All parts, each on lines of its own."""
        parts = [self.what, *(f"  | {line}" for line in self.evidence.splitlines()), self.hint]
        return "\n".join(part for part in parts if part)


class UsageError(PipelineError):
    """The words given, or a configuration file, are wrong: exit code 2."""

    exit_code = ExitCode.USAGE


class InfrastructureError(PipelineError):
    """Build, boot, SSH or the host failed, so there is no verdict: exit code 3."""

    exit_code = ExitCode.INFRASTRUCTURE


class Interrupted(BaseException):
    """SIGTERM or SIGHUP arrived: unwinds like Ctrl-C does, so that every resource is put back."""

    def __init__(self, signal_name: str) -> None:
        """Remember which signal it was, for run.json."""
        super().__init__(signal_name)
        self.signal_name = signal_name
