"""The solver of forward data-flow: joins, loops, breaks, unreached ends."""

from __future__ import annotations

import ast

from myia.analysis.dataflow import ForwardFlow
from myia.parse.program import names_written, statements_of

Names = frozenset[str]


def assigned(text: str, join=frozenset.union) -> tuple[Names | None, dict[str, Names]]:
    """The names assigned at the end, and before each statement, by its text."""

    def transfer(s: ast.stmt, state: Names) -> Names:
        return state | set(names_written(s))

    flow = ForwardFlow(transfer, join)
    body = ast.parse(text).body
    end = flow.block(body, frozenset())
    before = {ast.unparse(s): flow.before[s] for s in statements_of(body) if s in flow.before}
    return end, before


BRANCH = """
if c:
    a = 1
    b = 1
else:
    a = 2
z = 1
"""


def test_branches_are_joined():
    assert assigned(BRANCH)[1]["z = 1"] == {"a", "b"}
    assert assigned(BRANCH, frozenset.intersection)[1]["z = 1"] == {"a"}


LOOP = """
a = 1
for k in range(n):
    first = 1
    b = 1
z = 1
"""


def test_the_head_of_a_loop_sees_its_end():
    _, before = assigned(LOOP)
    assert before["first = 1"] == {"a", "k", "first", "b"}
    assert before["z = 1"] == {"a", "k", "first", "b"}


def test_a_loop_may_run_no_times():
    end, before = assigned(LOOP, frozenset.intersection)
    assert before["first = 1"] == {"a", "k"}
    assert end == {"a", "z"}


BREAKS = """
while True:
    a = 1
    if c:
        b = 1
        break
    else:
        d = 1
        if e:
            break
        else:
            f = 1
z = 1
"""


def test_an_endless_loop_ends_at_its_breaks():
    assert assigned(BREAKS)[1]["z = 1"] == {"a", "b", "d", "f"}
    assert assigned(BREAKS, frozenset.intersection)[1]["z = 1"] == {"a"}


def test_a_break_out_of_a_for_is_one_way_to_its_end():
    text = "for k in r:\n    if c:\n        a = 1\n        break\n    else:\n        pass\n    b = 1\nz = 1"
    assert assigned(text)[1]["z = 1"] == {"a", "b", "k"}


def test_breaks_belong_to_the_innermost_loop():
    _, before = assigned(
        "while True:\n    a = 1\n    while True:\n        b = 1\n        break\n    c = 1\n    break\nz = 1"
    )
    assert before["c = 1"] == {"a", "b"}
    assert before["z = 1"] == {"a", "b", "c"}


def test_what_is_not_reached_has_no_state():
    end, before = assigned("while True:\n    a = 1\nz = 1")
    assert end is None
    assert "z = 1" not in before
    end, before = assigned("if c:\n    raise E\nelse:\n    a = 1\nz = 1", frozenset.intersection)
    assert end == {"a", "z"}
    assert assigned("raise E\nz = 1")[0] is None
