"""Rules of reading elements, and the addition of adjoints at an index."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from myia import runtime as rt
from tests.rules.rows import Row, check, ids, normal, numbers, run_rule, uncovered

X = normal(3, 4, 2)
MASK = np.array([[True, False, True, False], [False, False, True, True], [True, True, True, False]])

INDICES: list[Any] = [
    0,
    -1,
    (0, 1),
    (0, 1, 1),
    (),
    slice(1),
    slice(5, 1, -1),
    (slice(None, None, -1), 1),
    None,
    Ellipsis,
    (Ellipsis, None, 0),
    (None, 0, Ellipsis, slice(None, None, 2)),
    [0, 0, 2],
    [],
    np.array([0, 0, 1]),
    np.array([0, -3, 1], np.int8),
    np.array([[0, 1], [1, 1]]),
    np.zeros((0,), int),
    (slice(None), [1, 1, 0]),
    ([0, 0], [1, 1]),
    ([0, 0], slice(None), [1, 1]),
    (None, [0, 0], None),
    (0, [1, 1]),
    MASK,
    (MASK, 0),
    (MASK, [0]),
    np.zeros((3, 4), bool),
    (slice(None), np.array([True, False, True, False])),
    (np.array([True, False, True]), [1, 1]),
    (np.array([True, False, True]), np.array([True, False, True, False])),
    MASK.tolist(),
    [True, False, True],
    (((0, 0), (1, 1))),
    ((0, 0),),
    np.array(1),
    (np.array(1), slice(None)),
    np.int64(1),
    (np.int64(1), np.array([1, 1])),
    True,
    False,
    np.bool_(True),
    range(-1, 3),
    (range(2), range(1, 3)),
]

ROWS = [
    *[Row(operator.getitem, X, i) for i in INDICES],
    Row(operator.getitem, numbers(3), 1),
    Row(operator.getitem, numbers(3), slice(None, None, -2)),
    Row(operator.getitem, [1.0, normal(3)], slice(None)),
    Row(operator.getitem, (1.0, normal(3), [2.0, 3.0]), -1),
    Row(operator.getitem, normal(0, 3), slice(None)),
    Row(operator.getitem, normal(), ()),
    Row(operator.getitem, normal(), None),
    Row(operator.getitem, normal(), True),
    *[Row(operator.getitem, np.float64(2), i, analytic=False) for i in ((), None, Ellipsis)],
    Row(np.take, X, 5),
    Row(np.take, X, 1, axis=1),
    Row(np.take, X, [0, 1, -1]),
    Row(np.take, X, [0, 0, 2], axis=0),
    Row(np.take, X, indices=[[0, 1], [1, 1]], axis=1),
    Row(np.take, X, np.array([[0, 1], [1, 1]]), -1),
    Row(np.take, X, [7, -9, 1], axis=1, mode="wrap"),
    Row(np.take, X, [7, -9, 1], axis=1, mode="clip"),
    Row(np.take, X, np.zeros((0,), int), axis=1),
    Row(np.take, normal(4), 2),
    Row(np.take, numbers(2), [0, 0]),
    Row(np.take_along_axis, X, np.arange(40).reshape(5, 4, 2) % 6 - 3, 0),
    Row(np.take_along_axis, X, np.arange(36).reshape(3, 6, 2) % 4, axis=1),
    Row(np.take_along_axis, X, np.arange(12).reshape(1, 6, 2) % 4, axis=1),
    Row(np.take_along_axis, X, np.argsort(X, axis=-1), -1),
    Row(np.take_along_axis, normal(1, 4), np.arange(18).reshape(3, 6) % 4, axis=1),
    Row(np.take_along_axis, X, np.array([0, 3, 3]), axis=None),
    Row(np.compress, [True, False, True], X, 0),
    Row(np.compress, [0, 1], X, axis=-1),
    Row(np.compress, [1, 0, 1, 1], X),
    Row(np.compress, [False], normal(3)),
    Row(np.extract, MASK, normal(3, 4)),
    Row(np.extract, [1, 0, 1], arr=normal(3)),
    Row(np.choose, [0, 1, 1], [normal(3), normal(3)]),
    Row(np.choose, [[0, 1, 2]], [normal(3), normal(2, 1), 2.0]),
    Row(np.choose, [0, 5, -1], normal(2, 3), mode="clip"),
    Row(np.choose, [0, 5, -1], normal(2, 3), mode="wrap"),
    Row(np.select, [MASK, ~MASK], [normal(3, 4), normal(4)]),
    Row(np.select, [MASK, X[..., 0] > 0], [normal(3, 4), normal(3, 1)], 2.0),
    Row(np.select, [MASK, MASK], [2.0, normal(3, 4)], default=normal(4)),
    Row(np.select, [MASK], (normal(3, 4),), normal(3, 4)),
    *[
        Row(f, X, **kw)
        for f in (np.diagonal, np.trace)
        for kw in (
            {},
            {"offset": 1},
            {"offset": -1, "axis1": 1, "axis2": 2},
            {"axis1": -1, "axis2": 0},
            {"offset": 5},
        )
    ],
    Row(np.trace, normal(3, 3)),
    Row(np.trace, normal(0, 0)),
    Row(np.trace, normal(2, 3, 4, 5), 0, 1, 3),
    Row(np.diagonal, normal(3, 0)),
    *[Row(np.diag, normal(*s), k) for s in ((3,), (3, 4), (0,), (1, 1)) for k in (0, 1, -1)],
    *[Row(np.diagflat, v, k) for v in (normal(2, 2), normal(3), 2.0) for k in (0, 1, -1)],
    *[
        Row(f, normal(*s), k)
        for f in (np.tril, np.triu)
        for s in ((3, 4), (2, 3, 3), (3,), (0, 2))
        for k in (0, 1)
    ],
    Row(np.tril, normal(3, 3), k=-1),
    Row(np.triu, m=normal(3, 3)),
]


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_index(row: Row) -> None:
    check(row)


def test_every_rule_has_a_row() -> None:
    assert not uncovered(ROWS, "myia.adjoint.rules.index")


def test_an_element_of_a_dictionary() -> None:
    d_x = run_rule(operator.getitem, ({"a": 1.0, "b": normal(2)}, "b"), np.ones(2), "x")
    assert d_x["a"] == 0.0
    np.testing.assert_array_equal(d_x["b"], [1.0, 1.0])


# -- adding at an index ----------------------------------------------------------------------------


def added_one_by_one(x: np.ndarray, index: Any, g: Any) -> np.ndarray:
    """What `add_at` should do, from the positions that NumPy's own indexing reads."""
    positions = np.arange(x.size).reshape(x.shape)[index]
    total = np.zeros(x.size)
    for position, value in zip(np.ravel(positions), np.ravel(g), strict=True):
        total[position] += value
    return total.reshape(x.shape)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_add_at(index: Any) -> None:
    g = np.asarray(normal(*np.shape(X[index])))
    np.testing.assert_allclose(rt.add_at(np.zeros(X.shape), index, g), added_one_by_one(X, index, g))


@given(data=st.data())
@settings(max_examples=300)
def test_add_at_any_index(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    kind = data.draw(st.sampled_from(["basic", "integers", "mask", "mixed"]))
    if kind == "basic":
        index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    elif kind == "integers":
        index = data.draw(
            hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4))
        )
    elif kind == "mask":
        rank = data.draw(st.integers(1, len(shape)))
        index = data.draw(hnp.arrays(bool, shape[:rank]))
    else:
        parts: list[Any] = []
        for size in shape:
            part = st.one_of(
                st.integers(-size, size - 1),
                st.slices(size),
                st.lists(st.integers(-size, size - 1), min_size=2, max_size=2),
                st.tuples(st.integers(-size, size - 1), st.integers(-size, size - 1)),
                hnp.arrays(np.intp, (2,), elements=st.integers(-size, size - 1)),
                st.just(None),
            )
            chosen = data.draw(part)
            parts.append(chosen)
            if chosen is None:
                parts.append(data.draw(st.integers(-size, size - 1)))
        index = tuple(parts)
    x = np.zeros(shape)
    g = np.arange(1.0, 1.0 + np.size(x[index])).reshape(np.shape(x[index]))
    np.testing.assert_array_equal(rt.add_at(np.zeros(shape), index, g), added_one_by_one(x, index, g))


def test_add_at_containers() -> None:
    assert rt.add_at([0.0, 0.0], 1, 2.0) == [0.0, 2.0]
    assert rt.add_at([1.0, 1.0, 1.0], slice(None, None, -2), [1.0, 3.0]) == [4.0, 1.0, 2.0]
    assert rt.add_at([1.0, 1.0], slice(1), 0.0) == [1.0, 1.0]
    assert rt.add_at({"a": 0.0}, "a", 2.0) == {"a": 2.0}
    assert rt.add_at([[0.0], 0.0], 0, [1.0]) == [[1.0], 0.0]
    assert rt.add_at(1.0, (), 2.0) == 3.0
    assert rt.add_at(np.zeros(2, np.float32), 0, 1.0).dtype == np.float32


def test_an_array_may_stand_for_the_adjoint_of_a_list() -> None:
    assert rt.accumulate([1.0, 2.0], np.ones(2)) == [2.0, 3.0]
    assert rt.accumulate(np.ones(2), [1.0, 2.0]) == [2.0, 3.0]
    assert rt.accumulate(0.0, [1.0]) == rt.accumulate([1.0], 0.0) == [1.0]
    assert rt.like(np.ones((2, 2)), [[1.0, 2.0], (3.0, 4.0)], []) == [[1.0, 1.0], (1.0, 1.0)]


# -- NaN stays where it is -------------------------------------------------------------------------


def test_elements_that_were_not_chosen_have_the_adjoint_zero() -> None:
    g = np.array([np.nan, 1.0])
    chosen = np.array([True, False])
    d_choices = run_rule(np.select, ([chosen], [normal(2)], normal(2)), g, "choicelist")
    np.testing.assert_array_equal(d_choices[0], [np.nan, 0.0])
    np.testing.assert_array_equal(
        run_rule(np.select, ([chosen], [normal(2)], normal(2)), g, "default"), [0.0, 1.0]
    )
    np.testing.assert_array_equal(
        run_rule(np.choose, ([0, 1], [normal(2), normal(2)]), g, "choices")[1], [0, 1]
    )
    np.testing.assert_array_equal(run_rule(np.tril, (normal(2, 2),), np.full((2, 2), np.nan), "m")[0, 1], 0.0)
