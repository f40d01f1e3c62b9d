"""The signed statement: what was tested, how it came out, and every file that shows it. Signing and checking it.

It is an in-toto statement with the predicate test-result v0.1, signed as DSSE signs (over its pre-authentication
encoding), so that tools of others can read it: the subjects are the images. Ours alone is `dotsFamily`, with the digest
of every file of the run.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from results.attest.files import SIGNATURE, STATEMENT, FileDigest, digests
from results.base.errors import UsageError
from results.base.strict import Strict
from results.records import Outcome, Verdict, Waivers
from results.store import StoredRun, as_json, load_run, read_record, write_whole
from results.waiving import waived

TYPE = b"application/vnd.in-toto+json"


TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
JUDGED_BY = ("checks.json", "waivers.json")
"""Files of a run that say what it was judged by."""


class Digest(Strict):
    """in-toto's set of digests."""

    sha256: str


class Resource(Strict):
    """in-toto's descriptor of a file."""

    name: str
    digest: Digest


class Run(Strict):
    """The run, in our own words."""

    version: Literal[2] = 2
    run: str
    target: str
    verdict: Verdict
    signed_although_failed: bool
    tool_commit: str
    waivers: Waivers | None = None
    files: tuple[FileDigest, ...]
    """Every file of the run."""


class Predicate(Strict):
    """How the tests came out on the hardened image: `control:ID`, `attack:ID` and `use:ID`."""

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: tuple[Resource, ...]
    passed: tuple[str, ...] = Field(alias="passedTests")
    warned: tuple[str, ...] = Field(alias="warnedTests")
    failed: tuple[str, ...] = Field(alias="failedTests")
    ours: Run = Field(alias="dotsFamily")


class Statement(Strict):
    """`attestation.json`."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field("https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Resource, ...]
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = Field(
        TEST_RESULT, alias="predicateType"
    )
    predicate: Predicate

    @property
    def run(self) -> Run:
        """What it says of the run."""
        return self.predicate.ours


def sign(folder: Path, key: Ed25519PrivateKey, *, even_failed: bool) -> Statement:
    """Write attestation.json and attestation.sig. Raises `UsageError` where there is nothing to stand for."""
    files = digests(folder)  # first: it refuses whatever is no plain file
    stored = load_run(folder)
    run = stored.record
    if not run.complete or run.verdict not in (Verdict.PASS, Verdict.FAIL):
        raise UsageError(f"{folder}: the run is not complete ({run.verdict})", "sign a run that came to a verdict")
    if run.verdict is Verdict.FAIL and not even_failed:
        raise UsageError(f"{folder}: the run's verdict is fail", "`--even-failed` signs it, and says so")
    waivers = read_record(folder / "waivers.json", Waivers) if "waivers.json" in files else None
    statement = made(stored, files, waivers)
    body = as_json(statement.model_dump(mode="json", by_alias=True)).encode()
    signature = base64.b64encode(key.sign(_encoded(body))) + b"\n"
    write_whole(folder / STATEMENT, body)
    write_whole(folder / SIGNATURE, signature)
    return statement


def made(stored: StoredRun, files: Mapping[str, FileDigest], waivers: Waivers | None) -> Statement:
    """The statement of a finished run. Pure."""
    run = stored.record
    outcomes = dict(_tests(stored, waivers))
    passed, warned, failed = (
        tuple(name for name, outcome in outcomes.items() if outcome in wanted)
        for wanted in ((Outcome.PASS,), (Outcome.WARN,), (Outcome.FAIL, Outcome.ERROR))
    )
    good: Literal["PASSED", "WARNED"] = "WARNED" if warned or failed else "PASSED"
    ours = Run(
        run=run.id,
        target=run.target,
        verdict=run.verdict,
        signed_although_failed=run.verdict is Verdict.FAIL,
        tool_commit=run.git_commit,
        waivers=waivers,
        files=tuple(files.values()),
    )
    predicate = Predicate(
        result="FAILED" if run.verdict is Verdict.FAIL else good,
        configuration=tuple(_resource(name, files[name].sha256) for name in JUDGED_BY if name in files),
        passed=passed,
        warned=warned,
        failed=failed,
        ours=ours,
    )
    subject = tuple(_resource(f"{run.target}-{variant}", image.sha256) for variant, image in run.images.items())
    return Statement(subject=subject, predicate=predicate)


def _tests(stored: StoredRun, waivers: Waivers | None) -> Iterator[tuple[str, Outcome]]:
    """What was asked of the hardened image; a control that is waived and does not hold is a warning."""
    stage = stored.baked
    for finding in waived(stage.findings.findings if stage and stage.findings else (), waivers):
        broken = finding.outcome in (Outcome.FAIL, Outcome.ERROR)
        yield f"control:{finding.control}", Outcome.WARN if broken and finding.waiver else finding.outcome
    for probe in stage.probes.probes if stage and stage.probes else ():
        yield f"{'attack' if probe.kind == 'attack' else 'use'}:{probe.id}", probe.outcome


def _resource(name: str, digest: str) -> Resource:
    return Resource(name=name, digest=Digest(sha256=digest.removeprefix("sha256:")))


def _encoded(body: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE, len(body), body)


def check(folder: Path, key: Ed25519PublicKey) -> tuple[Statement, tuple[str, ...]]:
    """The statement, and everything that is wrong with the folder. Raises `UsageError` where it cannot be read."""
    files = digests(folder)
    statement = read_record(folder / STATEMENT, Statement)
    names = [one.path for one in statement.run.files]
    odd = [name for name in names if name.startswith("/") or ".." in name.split("/")]
    if odd or len(set(names)) != len(names):
        raise UsageError(f"{folder / STATEMENT}: names {odd[:1] or 'a file twice'}", "no signer of ours writes that")
    wrong = [] if _signed(folder, key) else ["the signature is not of this key over this statement"]
    told = {one.path: one for one in statement.run.files}
    wrong += [f"changed: {name}" for name in told if name in files and files[name] != told[name]]
    wrong += [f"missing: {name}" for name in told if name not in files]
    wrong += [f"extra: {name}" for name in files if name not in told]
    return statement, tuple(wrong)


def _signed(folder: Path, key: Ed25519PublicKey) -> bool:
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 1000 or (folder / STATEMENT).is_symlink():
        return False
    try:
        key.verify(
            base64.b64decode(path.read_bytes().strip(), validate=True), _encoded((folder / STATEMENT).read_bytes())
        )
    except (InvalidSignature, ValueError):
        return False
    return True
