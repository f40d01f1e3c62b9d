"""The twin of a unit: what its files hold. (That it confines is shown in a real machine.)"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from validate.guest import sandbox, system
from validate.guest.probing import World

WORLD = World({"units": {"monitor": {"name": "m@.service", "apparmor": "m"}}}, {"child": "kim"})


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unit, dropin = tmp_path / "m@.service", tmp_path / "50.conf"
    unit.write_text("[Service]\nType=dbus\nBusName=org.x\nUser=%i\nExecStart=/usr/bin/m\n")
    dropin.write_text("[Service]\nPrivateNetwork=yes\n")
    facts = {"FragmentPath": str(unit), "DropInPaths": str(dropin), "NoExecPaths": "/"}
    monkeypatch.setattr(system, "show", lambda *_: [facts])
    monkeypatch.setattr(sandbox, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(sandbox, "ANSWERS", str(tmp_path / "answers"))
    return tmp_path


def test_twin_keeps_what_confines(places: Path) -> None:
    name, answer, notes = sandbox.transient(WORLD, "monitor", "print(1)", 30)
    assert name == "dots-probe-monitor@kim.service"
    assert answer == f"{places}/answers/monitor"
    assert notes == ["python3 was added to ExecPaths="]
    fragment = (places / "run/dots-probe-monitor@.service").read_text()
    assert "User=%i" in fragment
    assert "BusName" not in fragment
    folder = places / "run/dots-probe-monitor@.service.d"
    assert [one.name for one in sorted(folder.iterdir())] == ["0000-50.conf", sandbox.LAST_DROPIN]
    last = (folder / sandbox.LAST_DROPIN).read_text()
    assert "ExecStart=\nExecStart=/usr/bin/python3 -I -\n" in last
    assert base64.b64encode(b"print(1)").decode() in last
    assert all(len(line) < 1 << 20 for line in last.splitlines())


def test_a_twin_that_does_not_come_up_breaks_its_probes(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> tuple[int, str]:
        raise OSError("no systemd here")

    monkeypatch.setattr(system, "command", refuse)
    monkeypatch.setattr(sandbox, "take_away", lambda _: None)
    monkeypatch.setattr(sandbox, "REGISTRY", {"a": type("S", (), {"seconds": 1})()})
    answer = sandbox.run_all(WORLD, {"monitor": ["a"]}, "", ())["a"]
    assert answer["succeeded"] is None
    assert "no systemd here" in answer["message"]


def test_an_answer_is_taken_with_its_notes(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text('[{"id": "a", "evidence": ["seen"]}]')
    twin = sandbox.Twin("x.service", str(tmp_path / "answer"), ["note"])
    assert sandbox.answer_of(twin) == [{"id": "a", "evidence": ["note", "seen"]}]


def test_profiles_are_looked_up_by_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "read", lambda *_: "dots.daemon (enforce)\ndots.daemon//x (enforce)\n")
    assert sandbox.loaded("dots.daemon") == "dots.daemon"
    assert sandbox.loaded("dots") == ""
