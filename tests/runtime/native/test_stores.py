"""Writing in place where source and destination overlap: each result is NumPy's, whoever does the work and when."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
from myia import _runtime
from myia._runtime import Array
from tests.runtime.native.arrays import DTYPES, FLOATS, agree, limited, same, values

pytestmark = pytest.mark.usefixtures("mode")

Store = Callable[[Any, Any, Any], Any]
"""Works on a base and on two views of it; gives what is to be compared besides the base, or None."""


@dataclass(frozen=True)
class Overlap:
    """A base and two views of it, of one shape; each call of `arrays` makes them anew."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    seed: int
    order: str
    views: tuple[tuple[tuple[slice, ...], tuple[int, ...]], ...]
    own: bool

    def base(self) -> np.ndarray[Any, Any]:
        size = int(np.prod(self.shape))
        return values(self.dtype, size, self.seed).reshape(self.shape, order=self.order)  # type: ignore[call-overload,no-any-return]

    def viewed(self, base: Any) -> tuple[Any, Any, Any]:
        one, other = (base[index].transpose(axes) for index, axes in self.views)
        return base, one, other

    def native(self) -> Array:
        base = self.base()
        if not self.own:
            return myia.asarray(base)
        if base.flags.c_contiguous:
            return myia.asarray(base).copy()
        return myia.asarray(base.T).copy().T  # type: ignore[no-any-return]

    def check(self, store: Store, mixed: bool = False) -> None:
        """`mixed`: the second view is an ndarray, as a function on the host would give it back."""
        x = self.base()
        a = self.native()

        def numpy() -> Any:
            result = store(*self.viewed(x))
            return x if result is None else (x, result)

        def run() -> Any:
            base, one, other = self.viewed(a)
            result = store(base, one, np.asarray(other) if mixed else other)
            return base if result is None else (base, result)

        agree(run, numpy)
        same(a, x)


@st.composite
def overlaps(draw: st.DrawFn, dtypes: Any = FLOATS, most: int = 3) -> Overlap:
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=most)))
    room = tuple(2 * n + draw(st.integers(0, 3)) for n in shape)
    if draw(st.booleans()):
        shape, room = (shape[0],) * len(shape), (room[0],) * len(shape)
    views = []
    for _ in range(2):
        axes: tuple[int, ...] = tuple(range(len(shape)))
        if len(set(shape)) == 1:
            axes = tuple(draw(st.permutations(axes)))
        index = []
        for n, size in zip(shape, room, strict=True):
            step = draw(st.sampled_from([1, 1, -1, 2, -2]))
            if len(shape) == 1 and views:
                step = draw(st.sampled_from([1, -1])) * views[0][0][0].step  # see ONE_AXIS
            reach = (n - 1) * abs(step)
            start = draw(st.integers(0, size - 1 - reach))
            if step > 0:
                index.append(slice(start, start + reach + 1, step))
            else:
                index.append(slice(start + reach, start - 1 if start else None, step))
        views.append((tuple(index), axes))
    return Overlap(
        draw(st.sampled_from(dtypes)), room, draw(st.integers(0, 2**16)), draw(st.sampled_from("CF")),
        tuple(views), draw(st.booleans()),
    )  # fmt: skip


# -- storing -----------------------------------------------------------------------------------------------


def through_the_index(base: Any, one: Any, other: Any) -> None:
    one[...] = other


def copyto(base: Any, one: Any, other: Any) -> None:
    np.copyto(one, other)


def broadcast_row(base: Any, one: Any, other: Any) -> None:
    one[...] = other[:1]


def broadcast_column(base: Any, one: Any, other: Any) -> None:
    one[...] = other[..., -1:]


def reversed_onto_itself(base: Any, one: Any, other: Any) -> None:
    base[::-1] = base


def transposed_onto_itself(base: Any, one: Any, other: Any) -> None:
    if len(set(base.shape)) == 1:
        base[...] = base.T


def reversed_by_every_axis(base: Any, one: Any, other: Any) -> None:
    one[...] = one[(slice(None, None, -1),) * one.ndim]


def rows_swapped(base: Any, one: Any, other: Any) -> None:
    base[[0, 1]] = base[[1, 0]]


def halves_swapped_by_hand(base: Any, one: Any, other: Any) -> None:
    one[...], other[...] = other, one.copy()


def by_mask(base: Any, one: Any, other: Any) -> None:
    mask = np.arange(one.size).reshape(one.shape) % 3 != 0
    one[mask] = other[mask]


def by_integers(base: Any, one: Any, other: Any) -> None:
    order = np.arange(len(one))[::-1] // 2
    one[order] = other


def row_by_row(base: Any, one: Any, other: Any) -> None:
    for k in range(len(one)):
        one[k] = other[k]


def through_rows(base: Any, one: Any, other: Any) -> None:
    for row in base if base.ndim > 1 else ():
        row[...] = base[0]


STORES: list[Store] = [
    through_the_index, copyto, broadcast_row, broadcast_column, reversed_onto_itself, transposed_onto_itself,
    reversed_by_every_axis, rows_swapped, halves_swapped_by_hand, by_mask, by_integers, row_by_row, through_rows,
]  # fmt: skip


@pytest.mark.parametrize("store", STORES, ids=lambda f: f.__name__)
@given(st.data())
@limited(40)
def test_overlapping_stores(store: Store, data: st.DataObject) -> None:
    # An ndarray may be read once: whoever reads it again, after a store, has to wait.
    mixed = store in (through_the_index, copyto, broadcast_row, broadcast_column) and data.draw(st.booleans())
    data.draw(overlaps(DTYPES)).check(store, mixed)


ONE_AXIS = [
    (slice(0, 5, 2), slice(0, 3)), (slice(0, 3), slice(0, 5, 2)), (slice(1, 6, 2), slice(0, 3)), (slice(0, 7, 3), slice(2, 7, 2)),
    (slice(6, None, -3), slice(5, 2, -1)), (slice(1, 4), slice(0, 7, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("to", "source"), ONE_AXIS)
def test_along_one_axis_with_two_steps(to: slice, source: slice) -> None:
    """NumPy 2.4 reads in `x[::2] = x[:3]` what it has just written; as documented, and here, the source is read first."""
    x = np.arange(7.0)
    expected = x.copy()
    expected[to] = x[source].copy()
    a, b = myia.asarray(x.copy()), myia.asarray(x.copy())
    a[to] = a[source]
    np.copyto(b[to], np.asarray(b)[source].copy())
    same(a, expected)
    same(b, expected)


# -- in-place operators, and out= ------------------------------------------------------------------------------

# Not powers, whose last bit depends on the strides that NumPy's loop is given.
IN_PLACE = [
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod,
]  # fmt: skip


@given(st.data())
@limited(120)
def test_overlapping_in_place_operators(data: st.DataObject) -> None:
    function = data.draw(st.sampled_from(IN_PLACE))
    broadcast = data.draw(st.sampled_from([..., slice(1), (..., slice(-1, None))]))

    def through_the_view(base: Any, one: Any, other: Any) -> Any:
        return function(one, other[broadcast])

    def through_an_index(base: Any, one: Any, other: Any) -> None:
        base[1:] = function(base[1:], base[:-1])

    overlap = data.draw(overlaps([*FLOATS, np.dtype("i8"), np.dtype("c16")]))
    overlap.check(through_the_view, data.draw(st.booleans()))
    overlap.check(through_an_index)


UFUNCS = [
    np.add, np.multiply, np.subtract, np.divide, np.maximum, np.hypot, np.fmod, np.copysign, np.negative, np.sqrt,
    np.tanh, np.abs, np.square, np.exp, np.positive, np.rint,
]  # fmt: skip


@given(st.data())
@limited(200)
def test_overlapping_results(data: st.DataObject) -> None:
    function = data.draw(st.sampled_from(UFUNCS))
    pair = data.draw(st.sampled_from([(1, 1), (2, 2), (1, 2), (2, 1), (0, 1), (2, 0)]))

    def into(base: Any, one: Any, other: Any) -> Any:
        operands = [1.5 if k == 0 else (one, other)[k - 1] for k in pair][-function.nin :]
        return function(*operands, out=one)

    data.draw(overlaps()).check(into, data.draw(st.booleans()))


def first_row_of_sums(base: Any, one: Any, other: Any) -> Any:
    return np.sum(base, axis=0, out=base[-1])


def running_sums(base: Any, one: Any, other: Any) -> Any:
    return np.cumsum(one, axis=0, out=one)


def running_products(base: Any, one: Any, other: Any) -> Any:
    return np.cumprod(other, axis=-1, out=one)


def largest(base: Any, one: Any, other: Any) -> Any:
    return np.max(base, axis=0, keepdims=True, out=base[:1])


def means(base: Any, one: Any, other: Any) -> Any:
    return base.mean(axis=0, out=base[0])


def clipped(base: Any, one: Any, other: Any) -> Any:
    return np.clip(other, -1.0, 1.0, out=one)


def added_at(base: Any, one: Any, other: Any) -> Any:
    return np.add.at(one, np.arange(len(one)) // 2, other)


def reduced(base: Any, one: Any, other: Any) -> Any:
    return np.add.reduce(base, axis=0, out=base[0])


def accumulated(base: Any, one: Any, other: Any) -> Any:
    return np.multiply.accumulate(one, axis=0, out=other)


def sorted_rows(base: Any, one: Any, other: Any) -> Any:
    one.sort(axis=0)
    other[...] = one


def filled(base: Any, one: Any, other: Any) -> Any:
    one.fill(2.5)


def rolled(base: Any, one: Any, other: Any) -> Any:
    one[...] = np.roll(other, 1, axis=0)


def joined(base: Any, one: Any, other: Any) -> Any:
    one[...] = np.concatenate([other[1:], one[:1]])


def chosen(base: Any, one: Any, other: Any) -> Any:
    one[...] = np.where(one > other, other, one)


def only_some(base: Any, one: Any, other: Any) -> Any:
    return np.add(one, other, out=one, where=np.arange(one.size).reshape(one.shape) % 2 == 0)


FUNCTIONS: list[Store] = [
    first_row_of_sums, running_sums, running_products, largest, means, clipped, added_at, reduced, accumulated,
    sorted_rows, filled, rolled, joined, chosen, only_some,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@given(st.data())
@limited(25)
def test_overlapping_results_of_functions(function: Store, data: st.DataObject) -> None:
    data.draw(overlaps()).check(function)


@given(st.data())
@limited(40)
def test_overlapping_results_of_products(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 7))
    base = values(np.dtype("f8"), 4 * n * n, data.draw(st.integers(0, 999)), False).reshape(2 * n, 2 * n)
    places = st.tuples(st.integers(0, n), st.integers(0, n), st.booleans())
    a, b, out = (data.draw(places) for _ in range(3))

    def product(x: Any) -> Any:
        def view(place: tuple[int, int, bool]) -> Any:
            i, j, transposed = place
            found = x[i : i + n, j : j + n]
            return found.T if transposed else found

        np.matmul(view(a), view(b), out=view(out))
        return x

    agree(lambda: product(myia.asarray(base.copy())), lambda: product(base.copy()))
    agree(lambda: product(myia.asarray(base).copy()), lambda: product(base.copy()))


# -- destinations that share elements with themselves --------------------------------------------------------------


@given(st.data())
@limited(40)
def test_windows_that_share_elements(data: st.DataObject) -> None:
    n, width = data.draw(st.integers(2, 12)), data.draw(st.integers(2, 4))
    step = data.draw(st.integers(1, width))
    column = data.draw(st.booleans())

    def windows(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        made = np.lib.stride_tricks.as_strided(x, (n, width), (8 * step, 8))
        return made.T if column else made

    def run(store: Callable[[Any], Any], native: bool) -> Any:
        x = values(np.dtype("f8"), n * step + width, 3, False)
        view = windows(x)
        store(myia.asarray(view) if native else view)
        _runtime.wait_all()
        return x

    for store in (
        lambda w: operator.iadd(w, 1.0),
        lambda w: operator.imul(w, w),
        lambda w: np.add(w, np.arange(w.size).reshape(w.shape), out=w),
        lambda w: w.__setitem__(..., np.arange(w.size).reshape(w.shape)),
        lambda w: w.__setitem__(..., w[::-1]),
        lambda w: w.__setitem__(..., 2.0),
    ):
        same(run(store, True), run(store, False))


def test_a_view_as_another_type_is_converted() -> None:
    x = np.arange(1.0, 9.0)
    a = myia.asarray(x.copy())
    view: Any = a.view("i8")
    a[...] = view
    same(a, x.view("i8").astype("f8"))
    a[...] = np.arange(1.0, 9.0)
    np.add(a, view, out=a)
    same(a, x + x.view("i8"))


# -- where nothing is to be done -------------------------------------------------------------------------------------


def test_storing_a_view_where_it_is() -> None:
    a = myia.asarray(np.arange(12.0).reshape(3, 4)).copy()
    before = _runtime.counts()["submitted"]
    a[1:, ::2] = a[1:, ::2]
    a[...] = a
    a.T[:, 1] = a[1]
    assert _runtime.counts()["submitted"] == before
    same(a, np.arange(12.0).reshape(3, 4))
    x = np.arange(3.0)
    x.flags.writeable = False
    fixed = myia.asarray(x)
    with pytest.raises(ValueError, match="read-only"):
        fixed[1:] = fixed[1:]


# -- one element -------------------------------------------------------------------------------------------------------

NUMBERS = [
    1.5, -0.0, np.nan, np.inf, 1e300, 1e39, 1e-40, 1e-46, 0, 3, -7, 2**40, 2**63, 2**70, 10**400, True, 1j, None, "2.5",
    np.float64(2.5), np.float32(0.1), np.int64(9), np.uint8(200), np.bool_(True), np.complex128(2), np.float16(0.5),
    np.array(4.5), np.array([4.5]), [1.0], np.longdouble(1.5),
]  # fmt: skip
PLACES = [
    0, 3, -1, 4, -5, 2**70, np.int64(2), np.int32(1), np.int64(-9), True, (0,), (1, 2), (-1, -1), (1, 9), (np.int64(1), 0),
    (0, True), (), (2**70, 0), (0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [str(d) for d in DTYPES])
def test_one_element(dtype: str) -> None:
    for shape in ((4,), (4, 5), ()):
        base = values(np.dtype(dtype), int(np.prod(shape)), 1).reshape(shape)
        for view in (lambda x: x, lambda x: x[::-1] if x.ndim else x, lambda x: x.T):
            for place in PLACES:
                agree(lambda: view(myia.asarray(base))[place], lambda: view(base)[place])  # noqa: B023
            for place in (0, -1, (1, 2), (np.int64(1), 0), ()):
                for number in NUMBERS:

                    def store(x: Any, view: Any = view, place: Any = place, number: Any = number) -> Any:
                        view(x)[place] = number
                        return x

                    agree(lambda: store(myia.asarray(base).copy()), lambda: store(base.copy()))  # noqa: B023


def test_an_element_of_pending_work() -> None:
    x = np.linspace(0, 1, 50_000)
    for k in range(20):
        a = myia.asarray(x) * 2.0
        b = a + 1.0
        a[k] = 7.0
        c = a + 1.0
        a[k] += 1.0
        assert a[k] == 8.0
        assert c[k] == 8.0
        assert b[k] == x[k] * 2.0 + 1.0
