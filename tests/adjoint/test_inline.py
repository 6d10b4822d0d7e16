"""Templates instantiated for one operation, and the folding of what literals decide."""

from __future__ import annotations

import ast
import itertools
import math

import pytest

from myia.adjoint.inline import Binding, Term, fold, instantiate
from myia.adjoint.template import Rule, d

# -- folding --------------------------------------------------------------------------------------


def folded(text: str) -> str:
    return ast.unparse(fold(ast.parse(text, mode="eval").body))


@pytest.mark.parametrize(
    "before, after",
    [
        ("x ** (2 - 1)", "x"),
        ("2 * x ** (2 - 1)", "2 * x"),
        ("x * 1", "x"),
        ("1.0 * x", "x"),
        ("x * (3 - 2)", "x"),
        ("a if 2 >= 1 else b", "a"),
        ("a if 2 < 1 else b", "b"),
        ("a if 2 < 1 else b if not 1 == 1 else c", "c"),
        ("a if axis is None else b", "a if axis is None else b"),
        ("a if None is None else b", "a"),
        ("a if None is not None else b", "b"),
        ("x and True", "x"),
        ("True and x", "x"),
        ("x or False", "x"),
        ("x and False and y", "x and False"),
        ("x or True or y", "x or True"),
        ("True and True", "True"),
        ("f(2 + 3, x * 1)", "f(5, x)"),
        ("-(x * 1)", "-x"),
    ],
)
def test_fold(before, after):
    assert folded(before) == after


@pytest.mark.parametrize(
    "kept", ["x * 0", "0 * x", "x + 0", "x - x", "x / x", "x ** 0", "0.0 + x", "x * True", "x / 1.0"]
)
def test_what_is_not_true_of_every_float_stays(kept):
    """`x * 0` is NaN for an infinite x, `0.0 + x` loses the sign of a zero, True is no number here."""
    assert folded(kept) == kept


EXPRESSIONS = [
    "x * 1",
    "1 * x",
    "x ** (2 - 1)",
    "(x if 2 > 1 else y) * 1.0",
    "x * 0 + y",
    "not 3 > 2",
    "(x > 0) and True",
    "(x > 0) or (y > 0)",
    "False or (x > 0)",
    "x - 0",
    "x * (5 - 4) ** 2",
    "(x > 0) and (2 > 3) and (y > 0)",
    "x if not (None is not None) else y",
    "2 * 3 + x",
    "abs(x * 1) ** (3 - 2)",
]
VALUES = [0.0, -0.0, 1.5, -2.0, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_folding_changes_no_value(text):
    for x, y in itertools.product(VALUES, repeat=2):
        a = eval(text, {"x": x, "y": y})
        b = eval(folded(text), {"x": x, "y": y})
        assert repr(a) == repr(b)  # -0.0 and NaN too


def test_folding_gives_a_tree_of_its_own():
    tree = ast.parse("f(x * 1, 2 + 3)", mode="eval").body
    fold(tree)
    assert ast.unparse(tree) == "f(x * 1, 2 + 3)"


# -- instantiation --------------------------------------------------------------------------------


def shared_factor(y, a, b):
    unused = a * 100.0
    factor = d[y] * y
    d[a] += factor * b
    d[b] -= factor
    d[b] += unused * 2.0


def gathered(y, x, index):
    d[x][index] += d[y] * 1.0


def made(template, wanted, **operands):
    names = {key: ast.parse(value, mode="eval").body for key, value in operands.items()}
    rule = Rule(template, False, "example")
    adjoint = ast.Name("d_out", ast.Load())
    fresh = lambda hint: f"{hint}_1"
    steps = list(instantiate(rule, names, "out", adjoint, wanted.__contains__, fresh))
    return [
        f"{s.name} = {ast.unparse(s.value)}" if isinstance(s, Binding)
        else f"{ast.unparse(s.operand)} {'-' if s.negative else '+'} {ast.unparse(s.value)}"
        for s in steps
    ]  # fmt: skip


def test_operands_take_the_place_of_parameters():
    assert made(shared_factor, {"a", "b"}, a="u", b="2.5") == [
        "unused_1 = u * 100.0",
        "factor_1 = d_out * out",
        "u + factor_1 * 2.5",
        "2.5 - factor_1",
        "2.5 + unused_1 * 2.0",
    ]


def test_only_what_is_wanted_is_made():
    assert made(shared_factor, {"a"}, a="u", b="v") == ["factor_1 = d_out * out", "u + factor_1 * v"]
    assert made(shared_factor, set(), a="u", b="v") == []


def test_an_operand_named_like_a_temporary_is_not_captured():
    assert made(shared_factor, {"a"}, a="factor", b="y") == [
        "factor_1 = d_out * out",
        "factor + factor_1 * y",
    ]


def test_the_index_is_instantiated_and_the_value_folded():
    names = {"x": ast.Name("rows", ast.Load()), "index": ast.Constant(3)}
    rule = Rule(gathered, False, "example")
    (term,) = instantiate(rule, names, "out", ast.Name("d_out", ast.Load()), {"x"}.__contains__, str)
    assert isinstance(term, Term)
    assert (ast.unparse(term.operand), ast.unparse(term.index), ast.unparse(term.value)) == (
        "rows",
        "3",
        "d_out",
    )


def test_the_template_is_not_changed():
    before = [ast.dump(s.value) for s in Rule(shared_factor, False, "example").body]
    made(shared_factor, {"a", "b"}, a="u", b="v")
    assert [ast.dump(s.value) for s in Rule(shared_factor, False, "example").body] == before
