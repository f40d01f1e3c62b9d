"""The packet filter's rules: whom each is about, the chain that it goes to, and what is looked for in the kernel."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harden.layers.nft import NftSet, lines_of
from harden.render import Tree
from validate.plan import Plan

PATH = "/etc/dots-family-hardening/egress.nft"


def rules(tree: Tree) -> str:
    return tree.by_path[PATH].content.decode()


def test_a_rule_goes_to_the_chain_of_those_whom_it_is_about() -> None:
    made = NftSet(rules=("meta skuid @filter udp dport != 53 drop", "meta skuid @filter ip6 daddr ::1 accept"))
    assert (made.chain, made.within) == ("filter", ("udp dport != 53 drop", "ip6 daddr ::1 accept"))


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("udp dport != 53 drop",),
        ("meta skuid @children",),
        ("meta skuid 1000 accept",),
        ("meta skuid @children accept", "meta skuid @filter accept"),
    ],
)
def test_a_rule_about_nobody_or_about_two_is_refused(wrong: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        NftSet(rules=wrong)


def test_everybody_else_pays_for_one_look_up_a_set(plan: Plan) -> None:
    text = rules(plan.tree)
    head, *jumps = lines_of(text, "output")
    assert head == "type filter hook output priority filter; policy accept;"
    assert jumps == ["meta skuid @children jump children", "meta skuid @filter jump filter"]
    assert "skuid" not in text.replace("\n".join(f"        {jump}" for jump in jumps), "")


def test_what_is_looked_for_is_what_is_loaded(plan: Plan) -> None:
    """Every line of every chain is wanted by some check, so that none can be missing unseen."""
    wanted: dict[str, set[str]] = {}
    for check in plan.checks:
        if check.fact[:2] == ("network", "chains") and check.op == "contains":
            wanted.setdefault(check.fact[2], set()).update(check.expected)
    for chain in ("children", "filter"):
        assert wanted[f"inet dots_family {chain}"] == set(lines_of(rules(plan.tree), chain))
