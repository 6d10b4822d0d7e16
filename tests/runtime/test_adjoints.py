"""The algebra of adjoints: zeros, sums, seeds, broadcasts undone, gradients handed out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from myia._runtime import leave, memory_stats, wait_all
from myia.errors import NonScalarOutput, NotDifferentiable
from myia.runtime.adjoints import (
    accumulate,
    add_at,
    added_adjoint,
    as_adjoint_of,
    like,
    multiplied_adjoint,
    ones_like,
    repeated_adjoint,
    sum_to,
    unbroadcast,
    zeros_like,
)

SINGLE = np.float32


class Pair(NamedTuple):
    a: float
    b: np.ndarray


def same(a, b) -> bool:
    """Equal, of the same structure, and arrays of the same dtype."""
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    return type(a) is type(b) and np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype


# -- zeros ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x, zero",
    [
        (2.0, 0.0),
        (2, 0.0),
        ("text", 0.0),
        (None, 0.0),
        (np.ones(2, SINGLE), np.zeros(2, SINGLE)),
        (np.ones((0, 3)), np.zeros((0, 3))),
        (np.ones(2, int), np.zeros(2)),
        ([1.0, np.ones(2)], [0.0, np.zeros(2)]),
        ((1.0, (2.0,)), [0.0, [0.0]]),
        ({"a": 1.0, "b": [2.0]}, {"a": 0.0, "b": [0.0]}),
        ([], []),
    ],
)
def test_zeros_like(x, zero):
    assert same(leave(zeros_like(x)), zero)  # in containers they are native arrays


def test_zeros_are_fresh():
    x = [np.ones(2), np.ones(2)]
    zero = zeros_like(x)
    add_at(zero, 0, np.ones(2))
    assert zero[0].tolist() == [1.0, 1.0]
    assert zeros_like(x)[0].tolist() == [0.0, 0.0]
    assert zero[1].tolist() == [0.0, 0.0]
    assert zeros_like(np.broadcast_to(1.0, (3,))).flags.writeable


# -- seeds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result, kind",
    [
        (2.0, float),
        (2, float),
        (True, float),
        (SINGLE(2), SINGLE),
        (np.float64(2), float),
        (np.int64(2), float),
    ],
)
def test_the_seed_is_one(result, kind):
    seed = ones_like(result)
    assert seed == 1.0
    assert isinstance(seed, kind)
    assert np.ndim(ones_like(np.array(result))) == 0


@pytest.mark.parametrize(
    "result", [np.ones(1), np.ones((0,)), [1.0], (1.0,), None, "a", {}, object(), 1j, np.complex64(1)]
)
def test_what_is_not_a_real_number_has_no_seed(result):
    with pytest.raises(NonScalarOutput):
        ones_like(result)


def test_the_refusal_names_the_shape():
    with pytest.raises(NonScalarOutput, match=r"an array of shape \(2, 3\)"):
        ones_like(np.ones((2, 3)))


# -- broadcasts undone ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, onto",
    [
        ((), (3,)),
        ((), (2, 3)),
        ((3,), (2, 3)),
        ((1,), (3,)),
        ((2, 1), (2, 3)),
        ((1, 3), (2, 3)),
        ((1, 1), (2, 3)),
        ((2, 3), (2, 3)),
        ((1, 3), (4, 2, 3)),
        ((1,), (0,)),
        ((0, 1), (0, 4)),
        ((1, 4), (0, 4)),
    ],
)
def test_a_broadcast_is_the_transpose_of_its_sum(shape, onto):
    """For every x and g, <broadcast(x), g> = <x, unbroadcast(g)>."""
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=shape), rng.normal(size=onto)
    back = unbroadcast(g, x)
    assert np.shape(back) == shape
    assert np.sum(np.broadcast_to(x, onto) * g) == pytest.approx(np.sum(x * back))
    assert np.shape(sum_to(g, shape)) == shape


def test_a_cotangent_of_a_number_is_spread():
    assert sum_to(2.0, (2, 3)).tolist() == [[2.0] * 3] * 2
    assert sum_to(2.0, ()) == 2.0
    assert unbroadcast(np.ones((2, 2)), 3.0) == 4.0
    assert unbroadcast(2.0, 3.0) == 2.0
    assert np.broadcast_shapes(unbroadcast(np.ones((1,)), np.ones((3,))).shape, (3,)) == (3,)


def test_no_sum_without_a_broadcast():
    g = np.ones((2, 3))
    assert unbroadcast(g, np.zeros((2, 3))) is g


def test_the_dtype_is_kept():
    assert unbroadcast(np.ones((2, 3), SINGLE), np.ones(3, SINGLE)).dtype == SINGLE


def test_lists_taken_for_arrays():
    assert unbroadcast(np.ones((2, 3)), [1.0, 2.0, 3.0]) == [2.0, 2.0, 2.0]


# -- sums -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, total",
    [
        (1.0, 2.0, 3.0),
        (np.ones(2), 1.0, np.full(2, 2.0)),
        ([1.0, np.ones(2)], [2.0, np.ones(2)], [3.0, np.full(2, 2.0)]),
        ([1.0, [2.0]], 0.0, [1.0, [2.0]]),
        (0.0, [1.0, [2.0]], [1.0, [2.0]]),
        ({"a": 1.0}, {"a": 2.0}, {"a": 3.0}),
        ({"a": 1.0}, 0.0, {"a": 1.0}),
        (0.0, {"a": 1.0}, {"a": 1.0}),
        ({"a": 1.0, "b": 2.0}, {"b": 3.0}, {"a": 1.0, "b": 5.0}),
        ([1.0, 2.0], np.array([3.0, 4.0]), [np.float64(4.0), np.float64(6.0)]),
        (np.array([3.0, 4.0]), [1.0, 2.0], [np.float64(4.0), np.float64(6.0)]),
    ],
)
def test_accumulate(a, b, total):
    assert same(accumulate(a, b), total)


def test_accumulate_changes_neither():
    a, b = [np.ones(2), {"k": np.ones(1)}], [np.ones(2), {"k": np.ones(1)}]
    total = accumulate(a, b)
    total[0] += 5.0
    total[1]["k"] += 5.0
    for part in (a, b):
        assert part[0].tolist() == [1.0, 1.0]
        assert part[1]["k"].tolist() == [1.0]


def test_lists_of_unequal_length_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        accumulate([1.0], [1.0, 2.0])


# -- adding at an index -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index, g",
    [
        (1, 5.0),
        (-1, 5.0),
        (slice(1, None), np.array([1.0, 2.0])),
        (slice(None, None, -2), np.array([1.0, 2.0])),
        (np.array([0, 0, 2]), np.array([1.0, 2.0, 4.0])),
        ([0, 0], np.array([1.0, 2.0])),
        ([-1, 2], np.array([1.0, 2.0])),
        (range(0, 2), np.array([1.0, 2.0])),
        (np.array([True, False, True]), np.array([1.0, 2.0])),
        (Ellipsis, np.array([1.0, 2.0, 3.0])),
        (None, np.array([[1.0, 2.0, 3.0]])),
        ((np.array([[0, 0], [1, 0]]),), np.ones((2, 2))),
        ((slice(None), None), np.ones((3, 1))),
        (np.int64(1), 5.0),
        (np.array(1), 5.0),
        (np.array([], int), np.zeros(0)),
        (([0, 0, 0],), np.ones(3)),
    ],
)
def test_adding_at_an_index_is_the_transpose_of_reading(index, g):
    """For every x, <x[index], g> = <x, add_at(0, index, g)>."""
    x = np.array([2.0, 3.0, 5.0])
    d_x = np.zeros(3)
    assert add_at(d_x, index, g) is d_x
    assert np.sum(x[index if not isinstance(index, range) else list(index)] * g) == np.sum(x * d_x)


def test_adding_to_containers():
    assert add_at([1.0, 2.0], 0, 5.0) == [6.0, 2.0]
    assert add_at([1.0, 2.0, 3.0], slice(1, None), [5.0, 6.0]) == [1.0, 7.0, 9.0]
    assert add_at([1.0, 2.0], slice(None), 0.0) == [1.0, 2.0]
    assert add_at({"a": 1.0}, "a", 5.0) == {"a": 6.0}
    assert add_at(1.0, (), 2.0) == 3.0


# -- operands of + and * ----------------------------------------------------------------------------


def test_the_operands_of_a_sum():
    joined = [1.0, 2.0, 3.0]
    assert added_adjoint(joined, [0.0], True) == [1.0]
    assert added_adjoint(joined, [0.0, 0.0], False) == [2.0, 3.0]
    assert added_adjoint(joined, [], False) == []
    assert added_adjoint(joined, (), True) == []
    assert added_adjoint(np.ones(3), 2.0, True) == 3.0


def test_the_operands_of_a_product():
    assert multiplied_adjoint(2.0, 3.0, 4.0) == 8.0
    assert multiplied_adjoint(np.ones(2), 3.0, np.array([1.0, 2.0])) == 3.0
    assert multiplied_adjoint([1.0, 2.0, 3.0, 4.0], [0.0, 0.0], 2) == [4.0, 6.0]
    assert multiplied_adjoint([1.0, 2.0, 3.0, 4.0], 2, [0.0, 0.0]) == 0.0
    assert repeated_adjoint([], [1.0]) == [0.0]


def test_as_adjoint_of():
    assert as_adjoint_of([np.ones(2), 0.0], np.ones((2, 2))).tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert as_adjoint_of([1.0, 2.0], [5.0, 6.0]) == [1.0, 2.0]
    assert as_adjoint_of([1.0], "a") == 0.0


# -- what the user gets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "d_x, x, gradient",
    [
        (1.0, 2.0, 1.0),
        (np.float64(1), 2.0, 1.0),
        (1.0, SINGLE(2), SINGLE(1)),
        (1.0, np.float64(2), np.float64(1)),
        (0.0, np.ones((2, 1), SINGLE), np.zeros((2, 1), SINGLE)),
        (np.ones(2), np.ones(2, SINGLE), np.ones(2, SINGLE)),
        (np.float64(3.0), np.ones(()), np.full((), 3.0)),
        (0.0, [1.0, (2.0,)], [0.0, (0.0,)]),
        ([1.0, [2.0]], [1.0, (2.0,)], [1.0, (2.0,)]),
        ([1.0, [2.0]], (1.0, [2.0]), (1.0, [2.0])),
        (np.array([1.0, 2.0]), [5.0, 6.0], [1.0, 2.0]),
        ({"b": 2.0, "a": 1.0}, {"a": 5.0, "b": 6.0}, {"a": 1.0, "b": 2.0}),
        (0.0, {"a": [5.0]}, {"a": [0.0]}),
        ([1.0, np.ones(2)], Pair(5.0, np.ones(2)), Pair(1.0, np.ones(2))),
        ([0.0, 1.0, 0.0], ["text", 2.0, None], [0.0, 1.0, 0.0]),
        (0.0, np.array([1, 2]), np.zeros(2)),
        ([1.0, 0.0], [2.0, 7], [1.0, 0.0]),
    ],
)
def test_like(d_x, x, gradient):
    assert same(like(d_x, x, []), gradient)


def test_the_gradient_has_memory_of_its_own():
    shared = np.ones(2)
    first, second = like([shared, shared], [np.zeros(2), np.zeros(2)], [])
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, shared)


@pytest.mark.parametrize("x", [1.0, np.ones(2), np.float64(1)])
def test_a_complex_gradient_is_refused(x):
    with pytest.raises(NotDifferentiable):
        like(np.multiply(1j, x), x, [])


def test_zeros_of_containers_take_no_memory():
    x = [np.ones((1000, 1000)), (np.ones(1000), 2.0)]
    wait_all()
    before = memory_stats()["live"]
    zeros = zeros_like(x)
    assert memory_stats()["live"] - before < 10_000
    assert zeros[0].shape == (1000, 1000)
    assert not np.any(zeros[0])
    added = add_at(zeros, 0, 3.0 * x[0])
    again = add_at(zeros_like(x), 0, x[0])
    np.testing.assert_array_equal(added[0], 3.0 * x[0])
    np.testing.assert_array_equal(again[0], x[0])
    assert not np.shares_memory(np.asarray(again[0]), x[0])
