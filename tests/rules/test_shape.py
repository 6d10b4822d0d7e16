"""Rules of operations that move elements, and of those that make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from myia.adjoint.template import RULES
from myia.errors import MissingRule
from tests.rules.rows import Row, check, ids, normal, numbers, run_rule, uncovered

X = normal(2, 3, 4)
SHAPES = [(), (1,), (3,), (0,), (2, 3), (1, 3), (2, 0), (2, 3, 4), (2, 1, 2, 2)]

RESHAPES = [
    Row(np.reshape, X, (4, 6)),
    Row(np.reshape, X, -1),
    Row(np.reshape, X, shape=(6, -1)),
    Row(np.reshape, X, (6, 4), "F"),
    Row(np.reshape, X.T, (6, 4), order="A", layouts=False),
    Row(np.reshape, X, (6, 4), order="A", layouts=False),
    Row(np.reshape, 2.0, (1, 1)),
    Row(np.reshape, normal(0, 3), (3, 0)),
    Row(np.reshape, normal(), (1,)),
    Row(np.reshape, normal(1), ()),
    Row(np.reshape, numbers(4), (2, 2)),
    Row(np.ndarray.reshape, X, 4, 6),
    Row(np.ndarray.reshape, X, (4, 6)),
    Row(np.ndarray.reshape, X, -1, order="F"),
    Row(np.ndarray.reshape, X[:, ::-1], 2, 12),
    Row(np.ndarray.reshape, normal(1, 1), ()),
    Row(np.ravel, X),
    Row(np.ravel, X.T, "F"),
    Row(np.ravel, X.T, order="A", layouts=False),
    Row(np.ravel, normal()),
    Row(np.ravel, numbers(2)),
    Row(np.ndarray.ravel, X),
    Row(np.ndarray.flatten, X, "F"),
    Row(np.expand_dims, X, 1),
    Row(np.expand_dims, X, axis=(0, -1)),
    Row(np.expand_dims, 2.0, 0),
    Row(np.squeeze, normal(1, 3, 1)),
    Row(np.squeeze, normal(1, 3, 1), axis=-1),
    Row(np.squeeze, normal(1, 3, 1), (0, 2)),
    Row(np.squeeze, normal(1, 1)),
    Row(np.squeeze, X),
    *[Row(f, normal(*s)) for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d) for s in SHAPES],
    *[Row(f, 2.0) for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d)],
]

AXES = [
    *[Row(np.transpose, normal(*s)) for s in SHAPES],
    Row(np.transpose, X, (1, 2, 0)),
    Row(np.transpose, X, (-1, 0, -2)),
    Row(np.transpose, X, axes=[2, 0, 1]),
    Row(np.transpose, [numbers(3), numbers(3)]),
    Row(np.ndarray.transpose, X),
    Row(np.ndarray.transpose, X, 1, 2, 0),
    Row(np.ndarray.transpose, X, (1, -1, 0)),
    Row(np.ndarray.transpose, X, [2, 0, 1]),
    Row(np.ndarray.transpose, X, None),
    Row(np.ndarray.transpose, normal(3), 0),
    Row(np.ndarray.transpose, normal()),
    *[Row(("attribute", "T"), normal(*s)) for s in SHAPES],
    Row(("attribute", "real"), X, analytic=False),
    Row(("attribute", "mT"), X),
    Row(np.matrix_transpose, X),
    Row(np.linalg.matrix_transpose, X),
    Row(np.swapaxes, X, 0, -1),
    Row(np.swapaxes, X, axis1=1, axis2=1),
    Row(np.moveaxis, X, 0, -1),
    Row(np.moveaxis, X, source=(0, 1), destination=(-1, 0)),
    *[Row(np.rollaxis, normal(2, 3, 4, 1), a, s) for a in range(-4, 4) for s in range(-4, 5)],
    Row(np.rollaxis, X, 2),
    Row(np.rollaxis, X, axis=1, start=3),
]

JOINS = [
    Row(np.concatenate, [X, X[:1]]),
    Row(np.concatenate, (X, normal(2, 1, 4)), 1),
    Row(np.concatenate, (X, normal(2, 3, 0)), axis=-1),
    Row(np.concatenate, X),
    Row(np.concatenate, X, 1),
    Row(np.concatenate, X, axis=None),
    Row(np.concatenate, [X, normal(3)], axis=None),
    Row(np.concatenate, [numbers(2), normal(3)]),
    Row(np.concatenate, [[1, 2], normal(3)]),
    Row(np.stack, [X, X + 1]),
    Row(np.stack, (X, X), 1),
    Row(np.stack, (X, X), axis=-1),
    Row(np.stack, numbers(2)),
    Row(np.stack, [1.0, normal()]),
    Row(np.stack, X),
    Row(np.stack, X, axis=2),
    Row(np.stack, [numbers(2), numbers(2)]),
    *[
        Row(f, arrays)
        for f in (np.vstack, np.hstack, np.dstack, np.column_stack)
        for arrays in (
            [normal(3), normal(3)],
            (normal(2, 3), normal(2, 3)),
            normal(2, 3),
            [normal(0), normal(0)],
        )
    ],
    *[Row(f, x) for f in (np.vstack, np.hstack, np.dstack) for x in (X, [X, X], [1.0, 2.0], [normal(), 2.0])],
    Row(np.vstack, [normal(3), normal(2, 3)]),
    Row(np.vstack, tup=[normal(0, 3), normal(3)]),
    Row(np.column_stack, [normal(3), normal(3, 2)]),
    Row(np.column_stack, [numbers(2), normal(2)]),
    Row(np.dstack, [normal(2, 3), normal(2, 3, 4)]),
    Row(np.hstack, [normal(2), 1.0, normal()]),
    Row(np.hstack, [normal(2, 0), normal(2, 3)]),
    Row(np.append, X, X),
    Row(np.append, X, X, 1),
    Row(np.append, normal(3), 2.0),
    Row(np.append, numbers(2), values=numbers(1)),
]

SPLITS = [
    Row(np.split, X, 2),
    Row(np.split, X, [1, 2], 2),
    Row(np.split, X, [1, 5], axis=-1),
    Row(np.split, normal(3), [0, 3]),
    Row(np.array_split, X, 2, 1),
    Row(np.array_split, normal(7), 3),
    Row(np.hsplit, X, 3),
    Row(np.hsplit, normal(4), 2),
    Row(np.vsplit, X, 2),
    Row(np.dsplit, X, [1, 3]),
]

COPIES = [
    Row(np.broadcast_to, normal(3), (2, 3)),
    Row(np.broadcast_to, normal(1, 3), shape=(2, 2, 3)),
    Row(np.broadcast_to, 2.0, (2, 3)),
    Row(np.broadcast_to, normal(), 3),
    Row(np.broadcast_to, normal(1), (0,)),
    Row(np.broadcast_arrays, normal(3), normal(2, 1)),
    Row(np.broadcast_arrays, normal(3), 2.0),
    Row(np.broadcast_arrays, normal(1), normal(0)),
    *[
        Row(np.tile, normal(*s), r)
        for s in [(), (3,), (2, 3)]
        for r in [2, (2,), (2, 3), (2, 1, 3), 0, (0, 2)]
    ],
    Row(np.tile, normal(2), reps=[2, 2]),
    Row(np.repeat, X, 2),
    Row(np.repeat, X, repeats=2, axis=1),
    Row(np.repeat, X, [1, 0, 3], axis=1),
    Row(np.repeat, X, np.array([2, 1]), 0),
    Row(np.repeat, X, 0),
    Row(np.repeat, X, [0, 0], axis=0),
    Row(np.repeat, X, [2], axis=-1),
    Row(np.repeat, normal(3), [0, 2, 1]),
    Row(np.repeat, normal(), 3),
    Row(np.repeat, 2.0, 3),
    Row(np.repeat, normal(0), 3),
]

TURNS = [
    *[Row(np.flip, X, a) for a in (None, 1, -1, (0, -1))],
    Row(np.fliplr, X),
    Row(np.flipud, X),
    Row(np.roll, X, 2),
    Row(np.roll, X, -1, 1),
    Row(np.roll, X, shift=(1, 2), axis=(0, 2)),
    Row(np.roll, X, (1, 2), axis=0),
    Row(np.roll, normal(0), 1),
    *[Row(np.rot90, X, k) for k in (-1, 0, 1, 2, 3)],
    Row(np.rot90, X, k=3, axes=(2, 0)),
]

WIDTHS: list[Any] = [0, 1, (1,), (2, 1), ((1, 2), (0, 1), (3, 2)), ((2,), (1,), (3,)), 5, {0: 1, -1: (2, 0)}]
PADS = [
    *[Row(np.pad, X, w, m) for m in ("constant", "edge", "reflect", "symmetric", "wrap") for w in WIDTHS],
    Row(np.pad, X, 2, constant_values=3.0),
    Row(np.pad, normal(3), (1, 2), mode="constant", constant_values=2.5),
    Row(np.pad, normal(3), 1, constant_values=normal()),
    Row(np.pad, normal(0, 2), 1),
    Row(np.pad, normal(), 0),
]

INSERTS = [
    Row(np.insert, normal(4), 1, 2.0),
    Row(np.insert, normal(3, 4), 1, normal(3), axis=1),
    Row(np.insert, normal(3, 4), [0, 2], normal(2, 4), axis=0),
    Row(np.insert, normal(3, 4), [0, 2], 2.0, axis=0),
    Row(np.insert, normal(4), [1, 1], numbers(2)),
    Row(np.insert, normal(4), slice(1, 3), normal(2)),
    Row(np.insert, normal(2, 3), 2, 2.0),
    Row(np.insert, normal(0), 0, normal(2)),
    Row(np.delete, normal(4), 1),
    Row(np.delete, normal(3, 4), [0, 2], 1),
    Row(np.delete, normal(3, 4), slice(0, 5, 2)),
    Row(np.delete, X, -1, axis=-1),
]

CONSTRUCTION = [
    Row(np.array, numbers(2)),
    Row(np.array, [numbers(2), numbers(2)]),
    Row(np.array, [normal(3), normal(3)]),
    Row(np.array, (normal(3), [1.0, 2, 3.0])),
    Row(np.array, X),
    Row(np.array, X, copy=True),
    Row(np.array, 2.0),
    Row(np.array, [normal(), 1.0, np.float64(2)]),
    Row(np.array, numbers(2), ndmin=3),
    Row(np.array, [1, 2.0, 3]),
    Row(np.array, X, np.float64, analytic=False),
    Row(np.array, [[1.0], [2.0]], dtype=np.float64, analytic=False),
    Row(np.array, normal(0)),
    *[
        Row(f, x, analytic=f not in (np.ascontiguousarray, np.asfortranarray) or np.ndim(x) > 0)
        for f in (np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.copy)
        for x in (X, numbers(2), 2.0, normal(), normal(0, 2))
    ],
    Row(np.ndarray.copy, X),
    Row(np.ndarray.copy, X, order="F"),
    Row(np.ndarray.astype, X, np.float64, analytic=False),
    Row(np.ndarray.astype, X, dtype="float64", copy=False, analytic=False),
    Row(np.ndarray.item, normal(1, 1)),
    Row(np.ndarray.item, normal(3), 1),
    Row(np.ndarray.item, normal(2, 3), -1),
    Row(np.ndarray.item, normal(2, 3), 1, 2),
    Row(np.ndarray.item, normal(2, 3), (1, -3)),
    Row(np.ndarray.tolist, normal(2, 3)),
    Row(np.ndarray.tolist, normal(2, 3, 0)),
    Row(np.ndarray.tolist, normal()),
    Row(list, numbers(2)),
    Row(list, (normal(3), 2.0)),
    Row(list, normal(3)),
    Row(list, normal(2, 3)),
    Row(tuple, normal(2, 3)),
    Row(tuple, numbers(2)),
    Row(np.full, (2, 3), 2.0),
    Row(np.full, (2, 3), normal(3)),
    Row(np.full, 3, numbers(3)),
    Row(np.full, (), fill_value=2.0),
    Row(np.full, (0,), 2.0),
    Row(np.full_like, X, 2.0, wrt=["fill_value"], analytic=False),
    Row(np.full_like, X, normal(4), wrt=["fill_value"], analytic=False),
    Row(np.full_like, X, 2.0, wrt=["a"]),
    *[
        Row(np.meshgrid, *xi, indexing=indexing, sparse=sparse)
        for indexing in ("xy", "ij")
        for sparse in (False, True)
        for xi in ([normal(2), normal(3), normal(4)], [normal(2)], [2.0, normal(3)], [normal(0), normal(2)])
    ],
]

ROWS = [*RESHAPES, *AXES, *JOINS, *SPLITS, *COPIES, *TURNS, *PADS, *INSERTS, *CONSTRUCTION]


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_shapes(row: Row) -> None:
    check(row)


@pytest.mark.parametrize("module", ["shape", "construct"])
def test_every_rule_has_a_row(module: str) -> None:
    assert not uncovered(ROWS, f"myia.adjoint.rules.{module}")


def test_the_adjoint_of_a_view_is_a_view() -> None:
    g = normal(4, 6)
    assert np.shares_memory(run_rule(np.reshape, (X, (4, 6)), g, "a"), g)
    assert np.shares_memory(run_rule(np.transpose, (normal(6, 4),), g, "a"), g)
    assert all(
        np.shares_memory(p, g) for p in run_rule(np.concatenate, ([normal(1, 6), normal(3, 6)],), g, "arrays")
    )


def test_parts_that_were_not_used_have_the_adjoint_zero() -> None:
    np.testing.assert_array_equal(
        run_rule(np.split, (normal(4), 2), [0.0, np.ones(2)], "ary"), [0.0, 0.0, 1.0, 1.0]
    )
    first, second = run_rule(np.broadcast_arrays, (normal(3), normal(2, 1)), [0.0, np.ones((2, 3))], "args")
    np.testing.assert_array_equal(first, np.zeros(3))
    np.testing.assert_array_equal(second, [[3.0], [3.0]])
    first, second = run_rule(np.meshgrid, (normal(3), normal(2)), [0.0, np.ones((2, 3))], "xi")
    np.testing.assert_array_equal(first, np.zeros(3))
    np.testing.assert_array_equal(second, [3.0, 3.0])
    np.testing.assert_array_equal(
        run_rule(list, (normal(2, 2),), [0.0, np.ones(2)], "iterable"), [[0, 0], [1, 1]]
    )
    np.testing.assert_array_equal(
        run_rule(np.ndarray.tolist, (normal(2, 2),), [0.0, [1.0, 0.0]], "self"), [[0, 0], [1, 0]]
    )


def test_a_conversion_gives_back_the_dtype() -> None:
    x = normal(3).astype(np.float32)
    assert run_rule(np.ndarray.astype, (x, np.float64), np.ones(3), "self").dtype == np.float32
    assert run_rule(np.array, (x, np.float64), np.ones(3), "object").dtype == np.float32
    d_parts = run_rule(np.array, ([x, normal(3)],), np.ones((2, 3)), "object")
    assert [p.dtype for p in d_parts] == [np.float32, np.float64]


def test_a_conversion_to_integers_is_a_step_function() -> None:
    # The adjoint of an array of integers is zero, whatever came before.
    np.testing.assert_array_equal(
        run_rule(np.ndarray.astype, (X, int), np.zeros(X.shape), "self"), np.zeros(X.shape)
    )
    np.testing.assert_array_equal(run_rule(np.ndarray.astype, (X, int), 0.0, "self"), np.zeros(X.shape))


def test_an_array_of_floats_gives_floats() -> None:
    d_object = run_rule(np.array, (numbers(2),), normal(2), "object")
    assert [type(v) for v in d_object] == [float, float]


def test_padding_ignores_nan_beside_it() -> None:
    g = np.array([np.nan, 1.0, 2.0, np.inf])
    np.testing.assert_array_equal(run_rule(np.pad, (normal(2), 1), g, "array"), [1.0, 2.0])


def test_what_cannot_be_done_exactly_is_refused() -> None:
    for mode in ("mean", "maximum", "linear_ramp"):
        with pytest.raises(MissingRule, match=mode):
            run_rule(np.pad, (normal(3), 1, mode), normal(5), "array")
    with pytest.raises(MissingRule, match="odd"):
        run_rule(np.pad, (normal(3), 1, "reflect"), normal(5), "array", reflect_type="odd")
    with pytest.raises(MissingRule, match="constants"):
        run_rule(np.pad, (normal(3), 1), normal(5), "constant_values", constant_values=(1.0, 2.0))
    with pytest.raises(MissingRule, match="order 'K'"):
        run_rule(np.ravel, (X, "K"), normal(24), "a")
    with pytest.raises(MissingRule, match="list_iterator"):
        run_rule(list, (iter([1.0]),), [1.0], "iterable")


def test_unsupported_parameters_do_not_bind() -> None:
    for key, keywords in [
        (np.concatenate, {"out": None}),
        (np.stack, {"dtype": float}),
        (np.pad, {"stat_length": 1}),
        (np.array, {"subok": True}),
    ]:
        with pytest.raises(TypeError):
            RULES[key].bind(X, **keywords)
    with pytest.raises(TypeError):
        RULES[np.atleast_1d].bind(X, X)
