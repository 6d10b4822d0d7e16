"""Types: of values, joined, by running operations on examples, and what they decide."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from myia.parse.infer import Inference
from myia.parse.normalize import show
from myia.parse.types import (
    ANY,
    BOTTOM,
    FLOAT,
    INT,
    NONE,
    REAL,
    Array,
    Dict,
    Instance,
    Known,
    List,
    Scalar,
    Tuple,
    describe,
    is_number,
    join,
    may_vary,
    type_of,
)

F8, F4, I8 = np.dtype("float64"), np.dtype("float32"), np.dtype("int64")


class Point(NamedTuple):
    x: float
    y: float


class Box:
    pass


def inferred(function, *args):
    inference = Inference()
    return inference.infer(inference.program_of(function), tuple(map(type_of, args)))


def result_of(function, *args) -> str:
    return describe(inferred(function, *args).result)


# -- of values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, described",
    [
        (1.0, "float"),
        (1, "int"),
        (True, "bool"),
        ("text", "str"),
        (None, "none"),
        (1j, "complex"),
        (np.float32(1), "float32"),
        (np.ones((2, 3)), "float64[2]"),
        (np.float32(np.ones(())), "float32"),
        (np.ones((), np.int64), "int64[0]"),
        ((1.0, [2, 3]), "tuple[float, list[int]]"),
        ([1, 2.0], "list[any]"),
        ([], "list[nothing]"),
        ({"a": 1.0, "b": np.ones(2)}, "{'a': float, 'b': float64[1]}"),
        (Point(1.0, 2), "tuple[float, int]"),
        (math.sin, "sin"),
        (Box(), "Box"),
        (Box, "Box"),
    ],
)
def test_type_of(value, described):
    if described == "list[any]":  # an int or a float: some number
        described = f"list[{describe(REAL)}]"
    assert describe(type_of(value)) == described


def test_kinds():
    assert type_of(Box()) == Instance(Box)
    assert type_of(Box) == Known(Box)
    assert type_of(Point(1.0, 2.0)) == Tuple((FLOAT, FLOAT), ("x", "y"))
    assert type_of({1.5: 1.0}) == Dict(None, (FLOAT,))


def test_nesting_has_a_limit():
    value: Any = 1.0
    for _ in range(50):
        value = [value]
    assert describe(type_of(value)).count("list") < 10


# -- join -----------------------------------------------------------------------------------------

SOME = [
    FLOAT,
    INT,
    REAL,
    NONE,
    ANY,
    BOTTOM,
    Scalar("int", 1),
    Scalar("int", 2),
    Array(F8, 1),
    Array(F8, 2),
    Array(F4, 1),
    Array(None, None),
    Tuple((FLOAT, INT)),
    Tuple((INT, INT)),
    Tuple((FLOAT,)),
    List(FLOAT),
    List(INT),
    List(BOTTOM),
    Dict(("a",), (FLOAT,)),
    Dict(("a",), (INT,)),
    Dict(("b",), (INT,)),
    Known(math.sin),
    Known(math.cos),
    Instance(Box),
]


@pytest.mark.parametrize("a", SOME, ids=describe)
def test_join_is_a_least_upper_bound(a):
    assert join(a, a) == a
    assert join(a, BOTTOM) == a
    assert join(a, ANY) == ANY
    for b in SOME:
        both = join(a, b)
        assert both == join(b, a)
        assert join(both, a) == both  # above both, so that fixed points end
        assert join(both, b) == both


def test_joins():
    assert join(FLOAT, INT) == REAL
    assert join(Scalar("int", 1), Scalar("int", 2)) == INT
    assert join(Array(F8, 1), Array(F8, 2)) == Array(F8, None)
    assert join(Array(F8, 1), Array(F4, 1)) == Array(None, 1)
    assert join(Tuple((FLOAT, INT)), Tuple((INT, INT))) == Tuple((REAL, INT))
    assert join(List(BOTTOM), List(FLOAT)) == List(FLOAT)
    assert join(Array(F8, 1), FLOAT) == ANY
    assert join(FLOAT, NONE) == ANY


def test_what_may_vary():
    assert all(map(may_vary, (FLOAT, REAL, ANY, Array(F4, 1), List(FLOAT), Tuple((INT, FLOAT)))))
    assert not any(map(may_vary, (INT, NONE, Scalar("str"), Array(I8, 1), List(INT), Tuple(()), Known(len))))
    assert all(map(is_number, (FLOAT, INT, REAL, type_of(np.float32(1)))))
    assert not is_number(Array(F8, 0))


# -- by example -----------------------------------------------------------------------------------


def test_arithmetic_follows_numpy():
    def f(x, y):
        return x * y + 1

    single, double = np.ones(3, np.float32), np.ones(3)
    assert result_of(f, 1.0, 2) == "float"
    assert result_of(f, 1, 2) == "int"
    assert result_of(f, single, 2.0) == "float32[1]"
    assert result_of(f, single, double) == "float64[1]"
    assert result_of(f, single, np.float64(2.0)) == "float64[1]"
    assert result_of(f, np.float32(1), 2.0) == "float32"
    assert result_of(f, np.ones((2, 1)), double) == "float64[2]"


def test_operations_run_on_examples():
    def f(x, w):
        h = np.tanh(w @ x)
        rows = h.reshape(-1, 1)
        kept = rows.sum(axis=1, keepdims=True)
        one = kept.mean()
        return one, rows, kept[:, 0], w.T[1:, None], w[0], h[0], len(h), h > 0

    assert result_of(f, np.ones(3), np.ones((2, 3))) == (
        "tuple[float64, float64[2], float64[1], float64[3], float64[1], float64, int, bool[1]]"
    )


def test_an_example_that_fails_is_unknown_and_quiet():
    def f(x):
        return x @ 3.0

    assert result_of(f, np.ones((2, 2))) == "any"


def test_loops_reach_a_fixed_point():
    def f(n):
        x = 1
        for _ in range(n):
            x = x * 0.5
        return x

    def grows(n):
        x = ()
        for _ in range(n):
            x = (x,)
        return x

    assert result_of(f, 3) == describe(REAL)
    assert inferred(grows, 3).result is not None  # ends


def test_branches_join():
    def f(c, x):
        if c:
            y = x
        else:
            y = None
        return y

    assert result_of(f, True, 1.0) == "any"


def test_calls_are_typed_for_their_arguments():
    def g(v, scale):
        return v * scale

    def f(x):
        return g(x, 2), g(2, 3), g(np.sin(x), 1)

    assert result_of(f, 1.0) == "tuple[float, int, float64]"


def test_recursion_is_typed():
    assert result_of(factorial, 1.0, 3) == "float"


def factorial(x, n):
    return x if n == 0 else x * factorial(x, n - 1)


# -- what types decide ----------------------------------------------------------------------------


def live(function, *args) -> str:
    return show(inferred(function, *args).program)


def kind(x):
    if isinstance(x, np.ndarray):
        return x.sum()
    elif isinstance(x, (list, tuple)):
        return sum(x)
    elif x is None:
        return 0.0
    else:
        return x * 2.0


def test_isinstance_prunes_branches():
    assert "sum" not in live(kind, 1.0)
    assert "x * 2.0" in live(kind, 1.0)
    assert "x.sum()" in live(kind, np.ones(3))
    assert "x * 2.0" not in live(kind, np.ones(3))
    assert "sum(x)" in live(kind, [1.0])
    assert "if " not in live(kind, None)
    assert result_of(kind, 1.0) == "float"
    assert result_of(kind, None) == "float"


def test_a_pruned_branch_need_not_be_typed():
    def f(x, options):
        if options is None:
            return x
        return x * options["scale"]

    assert result_of(f, 1.0, None) == "float"
    assert result_of(f, 1.0, {"scale": 2.0}) == "float"


def test_an_unknown_type_prunes_nothing():
    class Odd(list):
        pass

    text = live(lambda x: x[0] if isinstance(x[0], float) else x[1], Odd([1.0]))
    assert "if " in text


def test_values_of_arguments_decide_nothing():
    def f(x, flag):
        if flag:
            return x
        return -x

    assert "if " in live(f, 1.0, True)
