"""Rules of sorting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from myia.adjoint.template import RULES
from myia.errors import MissingRule
from tests.rules.rows import Row, check, ids, normal, numbers, run_rule, uncovered

X = normal(3, 4, 2)
SHAPES = [(), (5,), (4, 3), (2, 3, 4), (0, 3), (1, 1), (2, 1, 3, 2)]
AXES = [(s, a) for s in SHAPES for a in (None, *range(-len(s), len(s)))]
LEVELS = [0.31, [0.23, 0.71], np.array([[0.13, 0.37], [0.61, 0.83]]), [], np.array([0.43])]

ROWS = [
    *[Row(np.sort, normal(*s), axis, analytic=False) for s, axis in AXES],
    Row(np.sort, X, analytic=False),
    Row(np.sort, X, axis=1, kind="stable", analytic=False),
    Row(np.sort, X, stable=True, analytic=False),
    Row(np.sort, numbers(4), analytic=False),
    *[
        Row(np.partition, normal(*s), 1, axis, analytic=False)
        for s, axis in AXES
        if (math.prod(s) if axis is None else s[axis]) > 1
    ],
    Row(np.partition, normal(300), [3, 50], analytic=False),
    # Far enough apart to stay in their order when moved: how the rest is ordered depends on the machine.
    Row(np.partition, np.random.default_rng(0).permutation(1000) * 0.01, kth=500, analytic=False),
    Row(sorted, numbers(5), analytic=False),
    Row(sorted, tuple(numbers(5)), reverse=True, analytic=False),
    Row(sorted, normal(5), analytic=False),
    Row(sorted, normal(0), analytic=False),
    *[
        Row(np.quantile, X, q, axis=axis, keepdims=keepdims, analytic=False)
        for q in LEVELS
        for axis in (None, 0, -1, (0, 2))
        for keepdims in (False, True)
    ],
    *[Row(np.quantile, X, q, wrt=["a"], analytic=False) for q in (0.0, 1.0, 0)],
    Row(np.quantile, normal(1), 0.3, analytic=False),
    Row(np.quantile, numbers(3), 0.6, analytic=False),
    Row(np.percentile, X, [23.0, 71.0], 0, analytic=False),
    Row(np.percentile, X, q=37.0, analytic=False),
]


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_sort(row: Row) -> None:
    check(row)


def test_every_rule_has_a_row() -> None:
    assert not uncovered(ROWS, "myia.adjoint.rules.sort")


def test_equal_elements_each_have_one_place() -> None:
    x = np.array([2.0, 1.0, 2.0, 1.0])
    d_x = run_rule(np.sort, (x,), np.array([1.0, 2.0, 3.0, 4.0]), "a")
    assert sorted(d_x[[1, 3]]) == [1.0, 2.0]
    assert sorted(d_x[[0, 2]]) == [3.0, 4.0]
    assert run_rule(sorted, ([2.0, 1.0, 2.0],), [1.0, 2.0, 3.0], "iterable", reverse=True) == [1.0, 3.0, 2.0]


def test_nan_is_sorted_to_the_end() -> None:
    d_x = run_rule(np.sort, (np.array([np.nan, 1.0, 0.0]),), np.array([1.0, 2.0, 3.0]), "a")
    np.testing.assert_array_equal(d_x, [3.0, 2.0, 1.0])


def test_what_has_no_rule() -> None:
    with pytest.raises(TypeError, match="key"):
        RULES[sorted].bind([1.0], key=abs)
    with pytest.raises(TypeError, match="method"):
        RULES[np.quantile].bind(X, 0.5, method="lower")
    with pytest.raises(MissingRule, match="set"):
        run_rule(sorted, ({1.0, 2.0},), [1.0, 1.0], "iterable")
