"""The script that fills the packet filter's sets: what it makes of accounts, and what it tells nft."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest

from harden.guest import egress
from harden.render import Tree

RULES = "# x\ntable inet t {\n    set children { # group:kids\n    }\n}\n"


def test_subordinate_ids_count_as_their_owners() -> None:
    text = "kim:165536:65536\n1001:300000:1\npat:100000:65536\nkim:x:1\nkim:7:0\n\n"
    assert egress.subordinate(text, ["kim", "1001"]) == [(165536, 231071), (300000, 300000)]


def test_ranges_never_overlap() -> None:
    assert egress.merged([(5, 9), (1001, 1001), (8, 12), (13, 20), (1001, 1001)]) == [(5, 20), (1001, 1001)]
    assert egress.merged([]) == []


def test_one_transaction_takes_the_old_table_away_and_fills_the_new_one() -> None:
    told = egress.script(RULES, {"children": [(1001, 1001), (165536, 231071)], "filter": []})
    assert told.splitlines()[:2] == ["table inet t", "delete table inet t"]
    assert RULES in told
    assert told.splitlines()[-1] == "add element inet t children { 1001, 165536-231071 }"
    with pytest.raises(ValueError, match="exactly one table"):
        egress.script("table inet a {\n}\ntable inet b {\n}\n", {})


def test_members_are_those_of_both_kinds_and_never_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def user(name: str, uid: int, gid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))

    everybody = [user("root", 0, 0), user("kim", 1001, 1001), user("leo", 1002, 988), user("pat", 1000, 1000)]
    monkeypatch.setattr(grp, "getgrnam", lambda _name: grp.struct_group(("kids", "x", 988, ["root", "kim", "gone"])))
    monkeypatch.setattr(pwd, "getpwall", lambda: everybody)
    assert [one.pw_name for one in egress.members("kids")] == ["kim", "leo"]


def test_it_loads_again_when_accounts_change_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = iter([[(1, 1)], [(1, 2)], [(1, 2)], [(1, 2)]])
    told: list[str] = []
    monkeypatch.setattr(egress, "stamps", lambda: next(stamps))
    monkeypatch.setattr(egress, "accounts", lambda _source: [(1001, 1001)])
    monkeypatch.setattr(egress, "nft", told.append)
    egress.load(RULES, {"children": "group:kids"})
    assert len(told) == 2


@pytest.mark.parametrize("words", [[], ["rules"], ["rules", "children=kids"], ["rules", "a=group:x;y"]])
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert egress.main(words) == 2
    assert "egress.py RULES" in capsys.readouterr().err


def test_a_group_that_does_not_exist_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules").write_text(RULES, encoding="utf-8")
    assert egress.main([str(tmp_path / "rules"), "children=group:no-such-group"]) == 1
    assert "not in force" in capsys.readouterr().err


def test_the_rendered_rules_are_of_one_table_and_the_script_is_this_one(tree: Tree) -> None:
    assert egress.table_of(tree.by_path["/etc/dots-family-hardening/egress.nft"].content.decode()) == "inet dots_family"
    script = tree.by_path["/etc/dots-family-hardening/egress.py"]
    assert script.mode == 0o755
    assert script.content.endswith(Path(egress.__file__).read_bytes())
