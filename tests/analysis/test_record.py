"""What the forward sweep saves: only what is overwritten and still read by the reverse sweep."""

from __future__ import annotations

import ast
import math
import re

import numpy as np
import pytest

from myia import grad, value_and_grad
from myia.analysis.record import assigned_before, to_be_recorded

# -- the analysis itself --------------------------------------------------------------------------


def saves(text: str, **reads: str) -> dict[str, tuple[str, ...]]:
    """The saves by statement; `reads` gives what the reverse code of the assignment to a name reads."""
    body = ast.parse(text).body
    statements = [s for s in ast.walk(ast.Module(body, [])) if isinstance(s, ast.Assign)]
    needed = {s: frozenset(reads.get(s.targets[0].id, "").split()) for s in statements}
    return {ast.unparse(s): names for s, names in to_be_recorded(body, needed).saves.items()}


LOOP = """
y = x
for k in range(n):
    t = y * y
    y = t + x
"""


def test_a_value_read_by_the_reverse_sweep_is_saved_where_it_is_overwritten():
    assert saves(LOOP, t="y") == {"y = t + x": ("y",)}


def test_a_value_that_nobody_reads_is_not_saved():
    assert saves(LOOP) == {}
    assert saves(LOOP, t="x") == {}


def test_a_value_read_after_its_assignment_is_the_new_one():
    # tanh reads its result: each iteration overwrites the one before
    assert saves("for k in range(n):\n    h = f(g)", h="h") == {"h = f(g)": ("h",)}
    # and only once: nothing is overwritten
    assert saves("h = f(g)", h="h") == {}


def test_a_value_read_before_its_assignment_is_the_old_one():
    assert saves("y = y * y", y="y") == {"y = y * y": ("y",)}


def test_the_target_of_a_loop_needs_no_save():
    assert saves("for k in range(n):\n    y = k * x", y="k x") == {}


def test_a_branch_that_may_read_is_enough():
    text = "if c:\n    t = y * y\nelse:\n    pass\ny = x"
    assert saves(text, t="y") == {"y = x": ("y",)}


def test_assigned_before():
    body = ast.parse("a = 1\nif c:\n    b = 1\nelse:\n    d = 1\nz = 1").body
    before, end = assigned_before(body, frozenset({"x"}))
    assert before[body[-1]] == {"x", "a"}
    assert end == {"x", "a", "z"}


# -- in emitted code ------------------------------------------------------------------------------


def linear_recurrence(x, n):
    y = x
    for _ in range(n):
        y = 0.5 * y + x
    return y


def linear_in_arrays(x, n):
    y = x
    for _ in range(n):
        y = 0.5 * y - x + np.roll(y, 1)
    return np.sum(y)


def accumulates(x, items):
    total = 0.0
    for item in items:
        total = total + x * item
    return total


def straight_line(x):
    y = math.sin(x)
    y = y * y
    y = math.exp(y) * x
    return y


def running_product_of_data(x, n):
    scale = 1.0
    total = 0.0
    for k in range(n):
        total = total + x * k
        scale = scale * 2.0
    return total + scale


@pytest.mark.parametrize(
    "function, args",
    [
        (linear_recurrence, (1.0, 3)),
        (accumulates, (1.0, [1.0, 2.0])),
        (straight_line, (0.5,)),
        (running_product_of_data, (0.5, 3)),
    ],
)
def test_nothing_is_saved(function, args):
    df = grad(function)
    assert "_saved" not in df.source_for(*args)
    assert np.all(np.isfinite(df(*args)))


def test_of_arrays_only_shapes_are_saved_to_undo_a_broadcast():
    source = grad(linear_in_arrays).source_for(np.ones(3), 3)
    saved = set(re.findall(r"\b(\w+)_saved\b", source))
    assert all(name.endswith("_shape") for name in saved)


def squares(x, n):
    for _ in range(n):
        x = x * x + 1.0
    return x


def test_what_is_overwritten_and_read_is_saved_once():
    source = grad(squares).source_for(0.5, 3)
    assert source.count("x_saved.append(x)") == 1
    assert source.count("x_saved.pop()") == 1
    assert set(re.findall(r"\b(\w+)_saved\b", source)) == {"x"}


def test_each_push_has_its_pop():
    def f(x, n):
        y = 1.0
        for k in range(n):
            z = y * x
            if z > 2.0:
                y = z * z
            else:
                y = math.sin(z) * y
        return y

    df = grad(f)
    source = df.source_for(0.9, 5)
    stacks = {line.split(" = ")[0].strip() for line in source.splitlines() if "_saved = []" in line}
    assert stacks
    for stack in stacks:
        assert source.count(f"{stack}.append(") == source.count(f"{stack}.pop()")
    eps = 1e-6
    assert df(0.9, 5) == pytest.approx((f(0.9 + eps, 5) - f(0.9 - eps, 5)) / (2 * eps), rel=1e-6)


def branch_on_data(x, flags):
    for flag in flags:
        if flag:
            x = x * 2.0
    return x


def test_a_decision_is_saved_only_as_a_flag():
    source = grad(branch_on_data).source_for(1.0, [True, False])
    assert "x_saved" not in source


def test_the_result_is_kept_when_the_reverse_sweep_restores_its_variable():
    assert value_and_grad(squares)(0.5, 3)[0] == squares(0.5, 3)
