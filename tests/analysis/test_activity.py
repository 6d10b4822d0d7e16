"""Which variables lie on a path from a selected argument to the result."""

from __future__ import annotations

import numpy as np
import pytest

from myia import grad
from myia.analysis.activity import activity
from myia.analysis.alias import AliasAnalysis
from myia.parse.infer import Inference
from myia.parse.types import type_of


def active(function, *args, wrt=("x",)):
    inference = Inference()
    typed = inference.infer(inference.program_of(function), tuple(map(type_of, args)))
    return activity(typed, frozenset(wrt), AliasAnalysis().of(typed))


def test_varied_and_useful():
    def f(x, c):
        unused = x * c
        constant = c * c
        y = x + constant
        return y

    found = active(f, 1.0, 2.0)
    assert {"x", "unused", "y"} <= found.varied
    assert "constant" not in found.varied
    assert {"y", "constant", "x", "c"} <= found.useful
    assert "unused" not in found.useful
    assert found.active == {"x", "y"}


def test_integers_and_comparisons_do_not_vary():
    def f(x, n):
        k = n + 1
        test = x > 2.0
        y = x * k if test else x
        return y

    found = active(f, 1.0, 3, wrt=("x", "n"))
    assert not {"n", "k", "test"} & found.varied


def test_shapes_and_positions_do_not_vary():
    def f(x):
        size = len(x)
        best = np.argmax(x)
        return x[best] * size

    found = active(f, np.ones(3))
    assert not {"size", "best"} & found.varied
    assert "x" in found.active


def test_a_loop_carries_activity_around():
    def f(x, n):
        a = 1.0
        b = 1.0
        c = 1.0
        for _ in range(n):
            c = b
            b = a
            a = x
        return c

    assert {"a", "b", "c"} <= active(f, 1.0, 5).active
    assert grad(f)(2.0, 2) == 0.0
    assert grad(f)(2.0, 3) == 1.0


def test_a_loop_carries_usefulness_back():
    def f(x, n):
        a = x
        b = 0.0
        c = 0.0
        for _ in range(n):
            c = c + b
            b = b + a
        return c

    assert {"a", "b", "c", "x"} <= active(f, 1.0, 3).active


def test_captured_variables_count_for_a_nested_function():
    def f(x, scale):
        def g(v):
            return v * scale

        return g(x)

    assert "scale" in active(f, 1.0, 2.0, wrt=("scale",)).active


def inactive_work(x, table):
    label = f"{x:.1f}"
    norm = np.sum(table * table)
    y = x * norm
    return y


@pytest.mark.parametrize("name", ["d_norm", "d_table", "d_label"])
def test_no_adjoint_of_what_is_not_active(name):
    source = grad(inactive_work).source_for(1.0, np.ones(3))
    assert name not in source
    assert "d_x" in source
