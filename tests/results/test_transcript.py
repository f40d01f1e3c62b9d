"""The transcript: a line an event, whatever the event holds and however the writer ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import InfrastructureError
from results.base.events import Event, Events
from results.transcript import LINE_LIMIT, TEXT_LIMIT, Transcript


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_line_per_event_with_time_and_data(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t") as transcript:
        events = Events(transcript)
        with events.step("boot"):
            events.emit("command", "true", seconds=0.25, status=0, stderr=b"\xff\x00ok")
    found = lines(tmp_path / "t")
    assert [one["kind"] for one in found] == ["step-start", "command", "step-end"]
    assert found[1]["data"] == {"status": 0, "stderr": "\\xff\x00ok"}
    assert str(found[0]["at"]).endswith("Z")


def test_outputs_are_bounded(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t") as transcript:
        transcript(Event("command", "x", data={"stdout": b"a" * 3_000_000}))
        transcript(Event("command", "y", data={str(number): "b" * TEXT_LIMIT for number in range(100)}))
    first, second = lines(tmp_path / "t")
    assert "characters left out" in str(first["data"])
    assert "bytes left out" in str(second["data"])
    assert max(len(line) for line in (tmp_path / "t").read_bytes().splitlines()) <= LINE_LIMIT


def test_goes_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "t").write_text('{"kind": "no')
    with Transcript(tmp_path / "t") as transcript:
        transcript(Event("note", "back"))
    assert json.loads((tmp_path / "t").read_text().splitlines()[1])["text"] == "back"


def test_full_disk_is_said_once_and_then_the_way_out_is_free() -> None:
    transcript = Transcript(Path("/dev/full"))
    with pytest.raises(InfrastructureError, match="No space"):
        transcript(Event("note", "x"))
    transcript(Event("note", "y"))
    transcript.close()
    transcript(Event("note", "z"))


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError):
        Transcript(tmp_path / "no" / "t")


@given(st.text(st.characters(exclude_categories=())), st.recursive(st.binary() | st.text() | st.floats(), st.lists))
def test_any_text_is_one_line(tmp_path_factory: pytest.TempPathFactory, text: str, data: object) -> None:
    path = tmp_path_factory.getbasetemp() / "transcript"
    path.unlink(missing_ok=True)
    with Transcript(path) as transcript:
        transcript(Event("note", text, data={"d": data}))
    (found,) = lines(path)
    assert len(str(found["text"])) == len(text)
