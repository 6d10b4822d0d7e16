"""The adjoint memory of a call: same storage, same shadow; taking an element's adjoint away; whether memory is shared."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia._runtime import Array, Shadows, shares, take_at
from myia.errors import NotDifferentiable
from tests.runtime.native.arrays import DTYPES, FLOATS, agree, limited, made, outcome, same, values
from tests.runtime.native.test_indexing import BASE, INDICES, described

pytestmark = pytest.mark.usefixtures("mode")

REAL = [np.dtype("float16"), *FLOATS]
DISCRETE = [dtype for dtype in DTYPES if dtype.kind in "biu"]


# -- of ------------------------------------------------------------------------------------------------------


@given(st.data())
@limited(60)
def test_the_same_storage_has_the_same_shadow(data: st.DataObject) -> None:
    recipe = data.draw(made(REAL, writable=True))
    table = Shadows()
    x = recipe.numpy()
    a = recipe.array() if data.draw(st.booleans()) else myia.asarray(x)
    assert not table.has(a)
    shadow = table.of(a)
    assert type(shadow) is Array
    assert (shadow.shape, shadow.strides, shadow.dtype) == (a.shape, a.strides, a.dtype)
    assert not np.asarray(shadow).any()
    assert table.has(a)
    assert len(table) == 1
    assert not shares(shadow, a)
    # Whatever way one comes to the memory: views, exported ndarrays, Arrays of those.
    number = np.arange(1, a.size + 1, dtype=a.dtype).reshape(a.shape)
    shadow[...] = number
    view = np.asarray(a)
    for again in (a, a[...], view, view[...], myia.asarray(view)):
        same(table.of(again), np.asarray(shadow))
        assert shares(table.of(again), shadow)
    axes = data.draw(st.permutations(range(a.ndim)))
    index = tuple(
        data.draw(st.sampled_from([slice(None), slice(None, None, -1), slice(1, None), 0])) for _ in axes
    )
    try:
        expected = np.asarray(shadow).transpose(axes)[index]
    except IndexError:
        return
    if isinstance(expected, np.ndarray):
        same(table.of(a.transpose(axes)[index]), expected)
        same(table.of(view.transpose(axes)[index]), expected)
    assert len(table) == 1


def test_a_shadow_is_zero_over_the_whole_storage() -> None:
    for a in (myia.asarray(np.arange(20.0)) + 0.0, myia.asarray(np.arange(20.0))):
        table = Shadows()
        middle = table.of(a[5:10])
        middle += 1.0
        expected = np.zeros(20)
        expected[5:10] = 1.0
        same(table.of(a), expected)
        same(table.of(a.reshape(4, 5).T), expected.reshape(4, 5).T)
        same(table.of(a[::-3]), expected[::-3])


def test_a_shadow_of_large_memory_and_of_pending_work() -> None:
    x = np.linspace(-1, 1, 1_000_000)
    a = myia.asarray(x)
    for _ in range(10):
        a = a * 1.0
    table = Shadows()
    shadow = table.of(a)
    part = table.of(a[1::2])
    part += a[1::2]
    shadow += a
    expected = x.copy()
    expected[1::2] *= 2
    same(shadow, expected)
    assert table.nbytes == x.nbytes


def test_memory_that_begins_anywhere() -> None:
    memory = bytearray(88)
    begin = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    root = np.frombuffer(memory, np.uint8, offset=(1 - begin) % 8)  # one byte after a multiple of 8
    x = root[7:71].view("f8")
    assert x.flags.aligned
    shadow = Shadows().of(x)
    assert np.asarray(shadow).flags.aligned
    shadow += 1.0
    same(shadow, np.ones(8))


@pytest.mark.parametrize("dtype", [str(d) for d in DISCRETE])
def test_what_has_no_derivative_has_zeros_of_its_own(dtype: str) -> None:
    table = Shadows()
    x = np.zeros((2, 3), dtype)
    for ask in (table.of, table.take):
        same(ask(x), np.zeros((2, 3)))
        same(ask(myia.asarray(x).T), np.zeros((3, 2)))
    assert len(table) == 0
    assert not shares(table.of(x), table.of(x))


def test_what_has_no_shadow() -> None:
    table = Shadows()
    for dtype in ("c8", "c16"):
        for ask in (table.of, table.take):
            with pytest.raises(NotDifferentiable, match="complex"):
                ask(np.zeros(2, dtype))
    for wrong in (1.5, [1.0], np.float64(1), None, np.zeros(2, "O"), np.zeros(2, "g"), np.zeros((1,) * 9)):
        for ask in (table.of, table.take):
            with pytest.raises(TypeError):
                ask(wrong)  # type: ignore[arg-type]
        assert not table.has(wrong)
    assert len(table) == table.nbytes == 0


def test_a_shadow_can_be_written_also_where_the_array_cannot() -> None:
    x = np.arange(4.0)
    x.flags.writeable = False
    shadow = Shadows().of(x)
    shadow += 1.0
    same(shadow, np.ones(4))


@given(st.data())
@limited(60)
def test_contributions_to_shared_elements_add_up(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(REAL))
    n, width, step = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    x = np.zeros(n * max(step, 1) + width, dtype)
    view = np.lib.stride_tricks.as_strided(x, (n, width), (step * x.itemsize, x.itemsize))
    place = np.arange(n)[:, None] * step + np.arange(width)
    if data.draw(st.booleans()):
        view, place = view.T, place.T
    index = data.draw(st.sampled_from([..., slice(1, None), (slice(None), 0), 0, slice(None, None, -1)]))
    table, expected = Shadows(), np.zeros(x.shape)
    for sign in (1, 1, -1):
        g = values(np.dtype("i8"), place[index].size, 7 * sign + 9, False).reshape(place[index].shape)
        if data.draw(st.booleans()):
            g = g[..., :1]
        d: Any = table.of(view)
        given: Any = data.draw(
            st.sampled_from([g.astype(dtype), myia.asarray(g.astype(dtype)), g.astype("f2")])
        )
        if data.draw(st.booleans()):
            given = float(g.ravel()[0]) if g.size else 1.0
        np.add.at(expected, place[index], sign * np.asarray(given, "f8"))
        if sign > 0:
            d[index] += given
        else:
            d[index] -= given
    same(table.of(x), expected.astype(dtype))
    # Taken away, each element is given once: to the last place that shares it.
    taken = np.asarray(take_at(table.of(view), index))
    stored, z = np.zeros(x.shape), np.arange(1.0, taken.size + 1).reshape(taken.shape)
    stored[place[index]] = z
    assert (taken * z).sum() == (expected * stored).sum()
    expected[place[index]] = 0.0
    same(table.of(x), expected.astype(dtype))


def test_a_shadow_of_a_broadcast_view_and_itself() -> None:
    table = Shadows()
    x = myia.asarray(np.zeros(3))
    rows = _runtime.broadcast_to(x, (4, 3))
    d: Any = table.of(rows)
    d += np.arange(3.0)
    same(table.of(x), 4 * np.arange(3.0))
    d += d
    same(table.of(x), 20 * np.arange(3.0))
    d[0] += 1.0
    same(table.of(x), 20 * np.arange(3.0) + 1.0)
    d[...] = 2.0
    same(table.of(x), np.full(3, 2.0))
    rt.times_into(d, myia.asarray(np.ones((4, 3))), 2.0)
    same(table.of(x), np.full(3, 10.0))
    rt.add_into(d, myia.asarray(np.ones((4, 3))))
    same(table.of(x), np.full(3, 14.0))
    # Scattered contributions meet too.
    rt.add_at(d, np.array([0, 0, 3]), np.ones((3, 3)))
    rt.add_at(d, (0, slice(1)), 1.0)
    same(table.of(x), np.array([18.0, 17.0, 17.0]))


# -- the table -------------------------------------------------------------------------------------------------


def test_tables_do_not_meet() -> None:
    x = np.zeros(3)
    one, other = Shadows(), Shadows()
    one.of(x)[...] = 1.0
    same(other.of(x), np.zeros(3))
    other.of(x)[...] = 2.0
    same(one.of(x), np.ones(3))
    other.clear()
    same(one.of(x), np.ones(3))


def test_in_threads() -> None:
    shared = myia.asarray(np.zeros(2_000))
    failures: list[BaseException] = []

    def work(number: float) -> None:
        try:
            for _ in range(200):
                table = Shadows()
                shadow = table.of(shared)
                shadow += number
                table.of(shared[::2])[...] += number
                assert table.of(shared)[0] == 2 * number
                assert table.take(shared)[1] == number
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_take_hands_the_shadow_over() -> None:
    a = myia.asarray(np.zeros((2, 3))).copy()
    b = myia.asarray(np.zeros(4))
    table = Shadows()
    table.of(a)[0, 1] = 5.0
    table.of(b)[...] = 1.0
    assert table.nbytes == 80
    taken = table.take(a)
    same(taken, np.array([[0.0, 5.0, 0.0], [0.0, 0.0, 0.0]]))
    assert not table.has(a)
    assert table.has(b)
    assert len(table) == 1
    assert table.nbytes == 32
    # What comes next begins at zero, and does not meet what was taken.
    same(table.of(a), np.zeros((2, 3)))
    table.of(a)[...] = 7.0
    assert taken[0, 1] == 5.0
    table.take(a)
    for view in (a, a.T, a[1:], a[0, 0:0], np.asarray(b)[1:].reshape(3, 1)[:0]):
        same(table.take(view) if view.size else table.take(np.zeros(view.shape)), np.zeros(view.shape))
    assert table.has(b)


def test_clear() -> None:
    x = np.zeros(3)
    table = Shadows()
    held = table.of(x)
    held += 1.0
    table.clear()
    assert len(table) == 0
    assert not table.has(x)
    same(table.of(x), np.zeros(3))
    same(held, np.ones(3))


def test_the_table_keeps_storages() -> None:
    """An address that is free again would have the shadow of what was there."""
    table = Shadows()
    for k in range(50):
        shadow = table.of(myia.asarray(np.ones(5)) + float(k))
        assert not np.asarray(shadow).any()
        shadow += 1.0
    assert len(table) == 50


def test_storages_and_shadows_return() -> None:
    x = np.ones(1000)

    def work() -> None:
        table = Shadows()
        a = myia.asarray(x) * 2.0
        table.of(x)[...] += 1.0
        table.of(a)[...] += 1.0
        table.of(myia.asarray(x)[5:])[...] += 1.0
        taken = table.take(a)
        take_at(taken, slice(3))
        take_at(taken, np.array([1, 1]))
        shares(x, x[1:])
        table.clear() if len(table) == 3 else None

    def level() -> tuple[int, int]:
        gc.collect()
        _runtime.wait_all()
        myia.asarray(np.ones(1)) + 1.0  # noqa: B018 - lets go of what workers dropped
        _runtime.wait_all()
        return _runtime.memory_stats()["live"], sys.getrefcount(x)

    work()
    before = level()
    for _ in range(30):
        work()
    assert level() == before


class Table(Shadows):
    """As the runtime in Python derives it."""

    def __init__(self) -> None:
        self.numbers: dict[int, list[float]] = {}
        self.myself = self


def test_a_derived_table() -> None:
    x = np.ones(3)
    table = Table()
    table.of(x)[...] += 1.0
    table.numbers[1] = [1.0]
    assert len(table) == 1
    before = sys.getrefcount(x)
    del table
    gc.collect()
    assert sys.getrefcount(x) == before - 1


# -- shares ----------------------------------------------------------------------------------------------------


def test_shares() -> None:
    x = np.arange(12.0).reshape(3, 4)
    a = myia.asarray(x)
    own = a.copy()
    views = [x, x[1:], x.T, x[::-1], a, a[0], a.T, np.asarray(a), x[0:0], x.view("i8"), x.reshape(-1)[3:4].reshape(()),
             np.lib.stride_tricks.as_strided(x, (2,), (8,)), np.lib.stride_tricks.sliding_window_view(a, (2, 2)), np.asarray(x.data)]  # fmt: skip
    for one in views:
        for other in views:
            assert shares(one, other)
        for other in (own, own[1:], x.copy(), np.zeros(3)):
            assert not shares(one, other)
    assert shares(own, own[1:].T)
    assert shares(own[:1], np.asarray(own)[2:])
    y = np.zeros(3, "O")
    assert shares(y, y[1:])
    for number in (1.5, np.float64(1.0), [x], (x,), None, "x"):
        assert not shares(number, number)
        assert not shares(x, number)
        assert not shares(number, a)
    with pytest.raises(TypeError):
        shares(x)  # type: ignore[call-arg]


def test_overlaps_itself() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    apart = [
        x,
        x.T,
        x[::-1, :, ::2],
        x[1:, 0],
        x[0:0],
        x[0, 0, 0],
        np.broadcast_to(x[:1], (1, 3, 4)),
        np.diagonal(x[0, :, :3]),
    ]
    windows = np.lib.stride_tricks.sliding_window_view
    met = [
        np.broadcast_to(x, (2, 2, 3, 4)),
        np.broadcast_to(x[:1], (2, 3, 4)),
        windows(x.ravel(), 3),
        windows(x[0], (2, 2)),
    ]
    for arrays, answer in ((apart, False), (met, True)):
        for y in arrays:
            for view in (y, y.T, y[::-1]) if y.ndim else (y,):
                assert _runtime.overlaps_itself(view) == answer
                assert _runtime.overlaps_itself(myia.asarray(view)) == answer
    assert not _runtime.overlaps_itself(np.broadcast_to(x, (0, 2, 3, 4)))
    for other in (1.5, [x], None, np.zeros((1,) * 9)):
        assert not _runtime.overlaps_itself(other)


# -- take_at ----------------------------------------------------------------------------------------------------


def check_take(make: Any, index: Any, seed: int) -> None:
    """Against the store: `take_at` is its adjoint, and leaves what a store of zeros leaves."""
    x = make(False)
    d = make(True)
    native = (
        myia.asarray(index)
        if isinstance(index, np.ndarray) and index.dtype.kind in "bi" and seed % 2
        else index
    )
    expected = outcome(
        lambda: np.array(x[index])[()] if not isinstance(x[index], np.ndarray) else x[index].copy()
    )
    if expected.error is not None:
        with pytest.raises(type(expected.error)):
            np.asarray(take_at(d, index))
        if not isinstance(index, np.ndarray):  # otherwise the failure is the array's, if it was queued
            same(d, x)
        return
    taken = take_at(d, native)
    g = np.array(taken)
    assert type(taken) is type(expected.value) or isinstance(taken, (Array, np.ndarray))
    assert isinstance(taken, np.generic) == isinstance(expected.value, np.generic)
    assert g.shape == np.shape(expected.value)
    assert g.dtype == expected.value.dtype
    if isinstance(taken, Array):
        assert not shares(taken, d)
    # Small whole numbers: sums are exact in any order.
    stored = np.zeros_like(x)
    z = values(np.dtype("i8"), g.size, seed, False).reshape(g.shape)
    stored[index] = z
    assert (g.astype("f8") * z).sum() == (x.astype("f8") * stored).sum()
    x[index] = 0.0
    same(d, x)


@pytest.mark.parametrize("index", INDICES, ids=described)
def test_taking_away(index: Any) -> None:
    for seed, view in enumerate(
        (lambda x: x, lambda x: x.T[:4], lambda x: x[::-1, :, ::2], lambda x: x[:, 0, 0], lambda x: x[0, 0, 0:0],
         lambda x: x[0, 0, 0:1].reshape(()), lambda x: x)
    ):  # fmt: skip
        for dtype in ("f8", "f4"):

            def make(native: bool, view: Any = view, dtype: str = dtype, seed: int = seed) -> Any:
                base = values(np.dtype("i8"), 120, 5, False).reshape(BASE).astype(dtype)
                if not native:
                    return view(base)
                return view(myia.asarray(base).copy() if seed % 3 else myia.asarray(base))

            check_take(make, index, seed)


@given(st.data())
@limited(60)
def test_taking_away_at_random(data: st.DataObject) -> None:
    recipe = data.draw(made(REAL, writable=True, special=False))
    shape = recipe.numpy().shape
    index: list[Any] = []
    length = data.draw(st.integers(0, 5))
    for n in shape[: data.draw(st.integers(0, len(shape)))]:
        if not n:
            index.append(slice(None))
            continue
        places = st.integers(-n, n - 1)
        index.append(
            data.draw(
                st.one_of(
                    places,
                    st.slices(n),
                    st.just(None),
                    st.lists(places, min_size=length, max_size=length).map(lambda k: np.array(k, int)),
                    st.lists(places, min_size=length, max_size=length),
                )
            )
        )
    if data.draw(st.booleans()):
        index.append(...)
    chosen = index[0] if len(index) == 1 and data.draw(st.booleans()) else tuple(index)

    def make(native: bool) -> Any:
        whole = recipe.array() if native else recipe.numpy()
        whole[...] = np.arange(1, whole.size + 1).reshape(whole.shape) % 50
        return whole

    check_take(make, chosen, data.draw(st.integers(0, 9)))


def test_taking_away_by_a_mask() -> None:
    d = myia.asarray(np.array([1.0, -2.0, 3.0])).copy()
    same(take_at(d, d > 0), np.array([1.0, 3.0]))
    same(d, np.array([0.0, -2.0, 0.0]))


def test_the_last_of_a_repeated_index_has_it() -> None:
    d = myia.asarray(np.array([1.0, 2.0, 3.0])).copy()
    for index in ([2, 0, 2, 2], np.array([2, 0, 2, -1]), (np.array([2, 0, 2, 2]),)):
        d[...] = np.array([1.0, 2.0, 3.0])
        same(take_at(d, index), np.array([0.0, 1.0, 0.0, 3.0]))
        same(d, np.array([0.0, 2.0, 0.0]))


def test_taking_away_from_pending_work() -> None:
    x = np.arange(1.0, 50_001.0)
    d = myia.asarray(x) * 1.0
    for _ in range(10):
        d += 0.0
    before = d + 0.0
    index = myia.asarray(np.array([5, 7, 5])) + 0
    element, part, rows = take_at(d, 3), take_at(d, slice(10, 20)), take_at(d, index)
    assert (element, type(element)) == (4.0, np.float64)
    same(part, x[10:20])
    same(rows, np.array([0.0, 8.0, 6.0]))
    same(before, x)
    x[[3, *range(10, 20), 5, 7]] = 0.0
    same(d, x)


def test_what_take_at_refuses() -> None:
    x = np.zeros(3)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        take_at(myia.asarray(x), 0)
    for arguments in ((x, 0), (1.5, 0), (myia.asarray(x),)):
        with pytest.raises(TypeError):
            take_at(*arguments)


def test_a_mark_refuses_taking_away() -> None:
    before = _runtime.enforces_marks()
    d = myia.asarray(np.ones(4)).copy()
    d.mark_read()
    _runtime.set_enforce_marks(True)
    try:
        for index in (0, slice(2), [1], np.array([1])):
            agree(lambda i=index: take_at(d, i), lambda: (_ for _ in ()).throw(RuntimeError))  # type: ignore[misc]
        with pytest.raises(RuntimeError, match="backprop"):
            d[0] = 1.0
    finally:
        _runtime.set_enforce_marks(before)
        d.unmark_read()
