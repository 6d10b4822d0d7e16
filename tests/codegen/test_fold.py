"""Temporaries written where they are used: which ones, and that nothing is reordered."""

from __future__ import annotations

import ast
from collections.abc import Iterable

import pytest

from myia.codegen.fold import fold_temporaries


def folded(text: str, users: Iterable[str] = ()) -> str:
    (part,) = fold_temporaries([ast.parse(text).body], frozenset(users))
    return "\n".join(ast.unparse(s) for s in part)


@pytest.mark.parametrize(
    "before, after",
    [
        ("t = 0.7 * x\ny = t + z", "y = 0.7 * x + z"),
        ("a = x * y\nb = a + 1\nc = b * 2", "c = (x * y + 1) * 2"),
        ("t = f(x)\ny = t", "y = f(x)"),
        ("t = f(x)\ny = g(t)", "y = g(f(x))"),
        ("t = x * y\ny += t", "y += x * y"),
        ("t = f(x)\nz = t\nt = g(x)\ny = t", "z = f(x)\ny = g(x)"),
        ("t = x > 0\nif t:\n    y = 1", "if x > 0:\n    y = 1"),
        ("for k in r:\n    t = x * k\n    y = t + 1", "for k in r:\n    y = x * k + 1"),
        ("if c:\n    t = x\n    y = t + 1\nelse:\n    pass", "if c:\n    y = x + 1\nelse:\n    pass"),
    ],
)
def test_folds(before, after):
    assert folded(before) == after


@pytest.mark.parametrize(
    "kept",
    [
        "t = x * y\ny = t + t",  # used twice
        "t = x * y\ny = t\nz = t",  # used again
        "t = f(x)\ny = g(z) + t",  # would run after g
        "t = f(x)\ny = a[k] + t",  # a[k] could raise first
        "t = f(x)\ny = z * w + t",  # operators of arrays may raise too
        "t = x * y\ny = t if c else z",  # evaluated only sometimes
        "t = x * y\ny = c and t",
        "t = x * y\na, b = (t, z)",
        "t = x * y\nfor k in t:\n    pass",
        "t = x * y\nwhile t:\n    pass",
        "t = x > 0\nif t:\n    y = t",  # read in a branch too
        "t, u = f(x)\ny = t + u",
        "t = x * y\na[t] = z",
        "t = x * y\nreturn_value.append(t)",
    ],
)
def test_leaves(kept):
    assert folded(kept) == kept


def test_names_of_the_users_stay():
    assert folded("t = x * y\nz = t + 1", users={"t"}) == "t = x * y\nz = t + 1"


def test_only_the_next_statement_counts():
    kept = "t = x * y\nz = 1\ny = t + z"
    assert folded(kept, users={"z"}) == kept
    assert folded(kept) == "y = x * y + 1"


def test_uses_are_counted_over_all_parts():
    forward, reverse = ast.parse("t = x * y\nz = t + 1").body, ast.parse("d = t * 2").body
    forward, reverse = fold_temporaries([forward, reverse], frozenset())
    assert ast.unparse(ast.Module(forward, [])) == "t = x * y\nz = t + 1"


def test_a_line_stays_readable():
    chain = "\n".join(f"t{k + 1} = t{k} * x{k} + y{k}" for k in range(20))
    lines = folded(chain).splitlines()
    assert 1 < len(lines) < 20
    assert max(line.count("*") + line.count("+") for line in lines) < 12


def test_the_given_statements_are_not_changed():
    body = ast.parse("t = x * y\nz = t + 1").body
    fold_temporaries([body], frozenset())
    assert ast.unparse(ast.Module(body, [])) == "t = x * y\nz = t + 1"


def test_the_line_of_the_statement_is_kept():
    body = ast.parse("t = x * y\nz = t + 1").body
    ((made,),) = fold_temporaries([body], frozenset())
    assert made.lineno == 2
