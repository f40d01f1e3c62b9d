"""The signed statement: which files, and what they say. Signing and checking it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from results.attest.files import SIGNATURE, STATEMENT, FileDigest, digests
from results.base.errors import UsageError
from results.base.strict import Strict
from results.records import RunRecord, Verdict, Waivers
from results.store import as_json, load_run, read_record, write_whole

TYPE = b"application/vnd.in-toto+json"


class Predicate(Strict):
    """What the run came to."""

    run: str
    verdict: Verdict
    signed_although_failed: bool
    targets: tuple[str, ...]
    images: dict[str, str]
    tool_commit: str
    waivers: Waivers | None = None


class Statement(Strict):
    """`attestation.json`."""

    schema_version: Literal[1] = 1
    type: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
    subject: tuple[FileDigest, ...]
    predicate: Predicate


def sign(folder: Path, key: Ed25519PrivateKey, *, even_failed: bool) -> Statement:
    """Write attestation.json and attestation.sig. Raises `UsageError` where there is nothing to stand for."""
    files = digests(folder)  # first: it refuses whatever is no plain file
    run = load_run(folder).record
    if not run.complete or run.verdict not in (Verdict.PASS, Verdict.FAIL):
        raise UsageError(f"{folder}: the run is not complete ({run.verdict})", "sign a run that came to a verdict")
    if run.verdict is Verdict.FAIL and not even_failed:
        raise UsageError(f"{folder}: the run's verdict is fail", "`--even-failed` signs it, and says so")
    waivers = read_record(folder / "waivers.json", Waivers) if "waivers.json" in files else None
    statement = Statement(subject=tuple(files.values()), predicate=_predicate(run, waivers))
    body = as_json(statement).encode()
    signature = base64.b64encode(key.sign(_encoded(body))) + b"\n"
    write_whole(folder / STATEMENT, body)
    write_whole(folder / SIGNATURE, signature)
    return statement


def _predicate(run: RunRecord, waivers: Waivers | None) -> Predicate:
    return Predicate(
        run=run.id,
        verdict=run.verdict,
        signed_although_failed=run.verdict is Verdict.FAIL,
        targets=(run.target,),
        images={name: image.sha256 for name, image in run.images.items()},
        tool_commit=run.git_commit,
        waivers=waivers,
    )


def _encoded(body: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE, len(body), body)


def check(folder: Path, key: Ed25519PublicKey) -> tuple[Statement, tuple[str, ...]]:
    """The statement, and everything that is wrong with the folder. Raises `UsageError` where it cannot be read."""
    files = digests(folder)
    statement = read_record(folder / STATEMENT, Statement)
    names = [one.path for one in statement.subject]
    odd = [name for name in names if name.startswith("/") or ".." in name.split("/")]
    if odd or len(set(names)) != len(names):
        raise UsageError(f"{folder / STATEMENT}: names {odd[:1] or 'a file twice'}", "no signer of ours writes that")
    wrong = [] if _signed(folder, key) else ["the signature is not of this key over this statement"]
    told = {one.path: one for one in statement.subject}
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
