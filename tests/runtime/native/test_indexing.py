"""Reading and writing through every form of index; views, copies, shapes; joining and choosing."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia._runtime import Array
from tests.runtime.native.arrays import (
    DTYPES,
    FLOATS,
    agree,
    broadcasting,
    limited,
    made,
    outcome,
    same,
    shapes,
    values,
)

pytestmark = pytest.mark.usefixtures("mode")

BASE = (4, 5, 6)
INDICES: list[Any] = [
    0, -1, 3, 4, -5, 10**30, True, False, None, ..., slice(None), slice(1, 3), slice(None, None, -1), slice(5, 1, -2),
    slice(10, 20), slice(-100, 100), slice(0, 0), (), (0,), (0, 1), (0, 1, 2), (0, 1, 2, 3), (-1, ..., 2), (..., 0),
    (..., 1, 2, 3), (..., ...), (None, 0), (0, None, 1, None, 2), (slice(None), 2), (slice(1, 2), slice(0, 2), slice(2)),
    (slice(None, None, -2), None, ..., slice(1, None)), (0, 1, 2, ...), (0, 1, 2, None), (None,) * 6, (9, 0), (0, -9),
    np.int64(2), np.int8(-1), np.uint8(3), np.array(1), (np.int32(1), np.array(2)), 1.5, "x", (1.0, 2), {}, len,
    [0, 1], [3, 3, -1], [True, False, True, True], np.array([0, 2, 2]), np.array([-1, 0]), np.array([4]), np.array([-5]),
    np.array([], int), [], np.array([0, 1], np.int32), np.array([1, 2], np.uint8), np.array([[0, 1], [2, 3]]),
    (np.array([0, 1]), np.array([2, 3])), (slice(None), np.array([0, 4])), (np.array([1]), slice(None), np.array([0])),
    (np.array([[0], [1]]), np.array([0, 1, 2])), (0, [1, 2]), (..., [0, 1]), (None, [0, 1]),
    np.arange(120).reshape(BASE) % 3 == 0, np.array([True, False, True, False]), np.array([True, False]),
    (slice(None), np.arange(5) > 2), np.array(True), np.array([1.0, 2.0]), slice(None, None, 0), slice("a"),
    np.arange(4)[::-1], np.arange(8)[::2] // 2,
]  # fmt: skip


def described(index: Any) -> str:
    return repr(index).replace("\n", "")[:40]


@pytest.mark.parametrize("index", INDICES, ids=described)
def test_reading(index: Any) -> None:
    base = values(np.dtype("f8"), 120, 1).reshape(BASE)
    for x in (
        base,
        base.T[:4],
        base[::-1, :, ::2],
        np.broadcast_to(base[:1], BASE),
        base[:, 0, 0],
        base[0, 0, 0:0],
        base[0, 0, 0],
    ):
        x = np.asarray(x)
        result = agree(lambda: myia.asarray(x)[index], lambda: x[index])  # noqa: B023
        expected = outcome(lambda: x[index]).value  # noqa: B023
        if isinstance(result, Array) and result.size:
            assert np.shares_memory(np.asarray(result), x) == np.shares_memory(expected, x)
        if isinstance(index, np.ndarray) and index.ndim:
            agree(lambda: myia.asarray(x)[myia.asarray(index)], lambda: x[index])  # noqa: B023


STORED: list[Any] = [7, 2.5, 1j, "array", "row", "list", "wrong", "ndarray", np.nan, None]


@pytest.mark.parametrize("index", INDICES, ids=described)
def test_writing(index: Any) -> None:
    for value in STORED:
        write(index, value)


def write(index: Any, value: Any) -> None:
    for dtype in ("f8", "i4") if value in ("array", 2.5) else ("f8",):
        base = values(np.dtype(dtype), 120, 1).reshape(BASE)
        for view in (lambda x: x, lambda x: x.T, lambda x: x[::-1, :, ::2]):
            try:
                selected = view(base)[index]
            except Exception:  # noqa: BLE001
                selected = np.zeros(3)
            shape = np.shape(selected)
            stored: Any = (
                {
                    "array": values(np.dtype(dtype), int(np.prod(shape)), 4).reshape(shape),
                    "ndarray": values(np.dtype(dtype), int(np.prod(shape)), 4).reshape(shape),
                    "row": np.arange(shape[-1] if shape else 1, dtype=dtype),
                    "list": [1],
                    "wrong": np.arange(77.0),
                }.get(value, value)
                if isinstance(value, str)
                else value
            )

            def numpy(view: Any = view, stored: Any = stored, base: Any = base) -> Any:
                x = base.copy()
                view(x)[index] = stored
                return x

            def run(view: Any = view, stored: Any = stored, base: Any = base) -> Any:
                x = myia.asarray(base).copy()
                own = isinstance(stored, np.ndarray) and value != "ndarray" and stored.ndim <= 8
                view(x)[index] = myia.asarray(stored) if own else stored
                return x

            agree(run, numpy, warned=False)


@given(st.data())
@limited(40)
def test_writing_an_overlapping_view(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    x, y = np.arange(n + 4.0), myia.asarray(np.arange(n + 4.0))
    if data.draw(st.booleans()):
        y = y.copy()
    i, j = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))
    step = data.draw(st.sampled_from([1, -1]))
    x[i : i + n] = x[j : j + n][::step]
    source = y[j : j + n][::step]
    y[i : i + n] = np.asarray(source) if data.draw(st.booleans()) else source
    same(y, x)


def test_rows_of_no_elements_are_checked() -> None:
    x = np.zeros((3, 0))
    agree(lambda: myia.asarray(x)[np.array([5])], lambda: x[np.array([5])])
    agree(lambda: myia.asarray(x)[np.array([2])], lambda: x[np.array([2])])


def test_augmented_assignment_through_an_index() -> None:
    x = values(np.dtype("f8"), 30, 2, False).reshape(5, 6)
    a = myia.asarray(x.copy())
    for index in (0, slice(1, 3), (slice(None), 2), [0, 0, 1], x > 0, (1, 2)):
        x[index] += 1.5
        a[index] += 1.5  # type: ignore[index]
        same(a, x)


@given(st.data())
@limited(15)
def test_iteration_and_containment(data: st.DataObject) -> None:
    x = data.draw(made(most=2, special=False)).numpy()
    a = myia.asarray(x)
    agree(lambda: len(a), lambda: len(x))
    if x.ndim:
        for one, other in zip(a, x, strict=True):
            same(one, other)
        agree(lambda: tuple(a), lambda: tuple(x))
    else:
        with pytest.raises(TypeError):
            iter(a)
    if x.size:
        assert x.ravel()[0] in a
    assert (77 in a) == (77 in x)
    assert a.tolist() == x.tolist()
    assert repr(a) == repr(x)
    assert str(a) == str(x)
    assert f"{a}" == f"{x}"


def test_read_only() -> None:
    x = np.arange(6.0)
    x.flags.writeable = False
    a = myia.asarray(x)
    for attempt in (
        lambda: a.__setitem__(0, 1.0), lambda: a.fill(1.0), lambda: a.__iadd__(1.0), lambda: a[1:].__setitem__(0, 1.0),
        lambda: a.T.__setitem__([0, 1], 1.0), lambda: np.add(a, 1, out=a), lambda: a.sort(),
        lambda: _runtime.broadcast_to(myia.asarray(np.zeros(3)), (2, 3)).fill(1.0),
        lambda: a.reshape(2, 3).__setitem__(0, 1.0), lambda: np.asarray(a).__setitem__(0, 1.0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="read-only"):
            attempt()
    assert not np.asarray(a).flags.writeable
    assert x.tolist() == list(range(6))


# -- shapes ------------------------------------------------------------------------------------------------------


@given(st.data())
@limited(60)
def test_reshape(data: st.DataObject) -> None:
    recipe = data.draw(made())
    size = recipe.numpy().size
    divisors = [n for n in range(1, size + 1) if size % n == 0]
    shape: list[int] = []
    rest = size
    while rest > 1 and len(shape) < 4:
        n = data.draw(st.sampled_from([d for d in divisors if rest % d == 0]))
        shape.append(n)
        rest //= n
    shape = data.draw(st.permutations([*shape, rest]))
    if data.draw(st.integers(0, 3)) == 0:
        shape[data.draw(st.integers(0, len(shape) - 1))] = data.draw(st.sampled_from([-1, -1, 3, -2]))
    x = recipe.numpy()
    a = myia.asarray(x)
    result = agree(lambda: a.reshape(shape), lambda: x.reshape(shape))
    expected = outcome(lambda: x.reshape(shape))
    if expected.error is None and size:
        assert np.shares_memory(np.asarray(result), x) == np.shares_memory(expected.value, x)
    agree(lambda: a.reshape(*shape), lambda: x.reshape(*shape))
    agree(lambda: rt.reshape(a, tuple(shape)), lambda: np.reshape(x, shape))
    for order in "CFA":
        agree(lambda o=order: a.reshape(shape, order=o), lambda o=order: x.reshape(shape, order=o))  # type: ignore[misc]
    for name in ("ravel", "flatten"):
        result = agree(getattr(a, name), getattr(x, name))
        if size:
            assert np.shares_memory(np.asarray(result), x) == np.shares_memory(getattr(x, name)(), x), name


def test_reshape_refuses() -> None:
    x = np.arange(6.0)
    for arguments in (
        (),
        (4,),
        (-1, -1),
        ("x",),
        (2.0, 3),
        (0, -1),
        (7, -1),
        ((2, 3), 1),
        ([2, 3],),
        (None,),
        ((),),
        (2**40, 2**40),
    ):
        agree(lambda a=arguments: myia.asarray(x).reshape(*a), lambda a=arguments: x.reshape(*a))  # type: ignore[misc]
        one = np.ones(1)
        agree(lambda a=arguments: myia.asarray(one).reshape(*a), lambda a=arguments: one.reshape(*a))  # type: ignore[misc]


@given(st.data())
@limited(30)
def test_axes(data: st.DataObject) -> None:
    x = data.draw(made()).numpy()
    a = myia.asarray(x)
    axes = data.draw(st.permutations(range(x.ndim)))
    agree(lambda: a.transpose(axes), lambda: x.transpose(axes))
    agree(lambda: a.transpose(*axes), lambda: x.transpose(*axes))
    agree(lambda: rt.transpose(a, axes), lambda: np.transpose(x, axes))
    agree(lambda: a.T, lambda: x.T)
    agree(lambda: a.transpose(), lambda: x.transpose())
    agree(lambda: a.transpose(None), lambda: x.transpose(None))
    for i in range(-x.ndim - 1, x.ndim + 1):
        agree(lambda i=i: a.swapaxes(0, i), lambda i=i: x.swapaxes(0, i))  # type: ignore[misc]
    agree(lambda: a.transpose(0, 0), lambda: x.transpose(0, 0))
    agree(lambda: a.squeeze(), lambda: x.squeeze())
    target = (2, *x.shape)
    agree(lambda: _runtime.broadcast_to(a, target), lambda: np.broadcast_to(x, target))
    agree(lambda: _runtime.broadcast_to(a, (7,)), lambda: np.broadcast_to(x, (7,)))
    agree(lambda: a.real, lambda: x.real)
    agree(lambda: a.imag, lambda: x.imag)


@given(st.data())
@limited(20)
def test_copies(data: st.DataObject) -> None:
    recipe = data.draw(made())
    x, a = recipe.numpy(), recipe.array()
    for make in (
        lambda y: y.copy(),
        copy.copy,
        copy.deepcopy,
        lambda y: y.copy("F"),
        lambda y: y.copy(order="K"),
        np.copy,
    ):
        result = agree(lambda m=make: m(a), lambda m=make: m(x))  # type: ignore[misc]
        if x.ndim and x.size:
            assert not np.shares_memory(np.asarray(result), np.asarray(a))
            assert np.asarray(result).flags.writeable
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(a, protocol))  # noqa: S301
        assert type(again) is Array
        same(again, pickle.loads(pickle.dumps(x, protocol)))  # noqa: S301


@given(st.data())
@limited(60)
def test_astype(data: st.DataObject) -> None:
    x = data.draw(made()).numpy()
    for dtype in DTYPES:
        agree(lambda d=dtype: myia.asarray(x).astype(d), lambda d=dtype: x.astype(d))  # type: ignore[misc]
    agree(lambda: myia.asarray(x).astype("f4", copy=False), lambda: x.astype("f4", copy=False))
    agree(lambda: myia.asarray(x).astype("f4", casting="no"), lambda: x.astype("f4", casting="no"))
    agree(lambda: myia.asarray(x).astype("nonsense"), lambda: x.astype("nonsense"))


@given(st.data())
@limited(60)
def test_fill_and_assign(data: st.DataObject) -> None:
    recipe = data.draw(made(writable=True))
    value = data.draw(
        st.sampled_from(
            [
                0,
                1,
                -1,
                2.5,
                np.nan,
                np.inf,
                1e300,
                2**40,
                1j,
                True,
                np.float32(0.1),
                np.int64(300),
                "x",
                None,
                np.array(2.5),
            ]
        )
    )
    other = data.draw(made(shape=data.draw(broadcasting(recipe.numpy().shape))))

    def fill(x: Any) -> Any:
        x.fill(value)
        return x

    def assign(x: Any, y: Any) -> Any:
        x[...] = y
        return x

    agree(lambda: fill(recipe.array()), lambda: fill(recipe.numpy()))
    agree(lambda: assign(recipe.array(), value), lambda: assign(recipe.numpy(), value))
    agree(lambda: assign(recipe.array(), other.array()), lambda: assign(recipe.numpy(), other.numpy()))
    agree(lambda: assign(recipe.array(), other.numpy()), lambda: assign(recipe.numpy(), other.numpy()))


# -- joining and choosing ---------------------------------------------------------------------------------------------


@given(st.data())
@limited(45)
def test_where(data: st.DataObject) -> None:
    shape = data.draw(shapes(most=3))
    condition = data.draw(
        made(dtypes=[np.dtype("?"), np.dtype("?"), np.dtype("f8")], shape=data.draw(broadcasting(shape)))
    )
    choices: list[tuple[Any, Any]] = []
    for _ in range(2):
        if data.draw(st.booleans()):
            recipe = data.draw(made(shape=data.draw(broadcasting(shape))))
            choices.append((recipe.array(), recipe.numpy()))
        else:
            number = data.draw(
                st.sampled_from([0, 1.5, -300, 1j, True, np.float32(0.1), np.int64(5), 2**40, 1e300])
            )
            choices.append((number, number))
    (a, x), (b, y) = choices
    agree(lambda: rt.where(condition.array(), a, b), lambda: np.where(condition.numpy(), x, y))
    agree(lambda: np.where(condition.array(), a, b), lambda: np.where(condition.numpy(), x, y))
    agree(lambda: rt.where(condition.array()), lambda: np.where(condition.numpy()))


@given(st.data())
@limited(40)
def test_concatenate(data: st.DataObject) -> None:
    shape = list(data.draw(shapes(least=1, most=3)))
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    dtypes = data.draw(st.sampled_from([FLOATS[:1], FLOATS, DTYPES]))
    parts = []
    for _ in range(data.draw(st.integers(1, 4))):
        if -len(shape) <= axis < len(shape):
            shape[axis] = data.draw(st.integers(0, 3))
        parts.append(data.draw(made(dtypes=dtypes, shape=tuple(shape))))
    for join, numpy in ((_runtime.concatenate, np.concatenate), (np.concatenate, np.concatenate)):
        agree(
            lambda j=join: j([p.array() for p in parts], axis=axis),
            lambda n=numpy: n([p.numpy() for p in parts], axis=axis),
        )  # type: ignore[misc]
    agree(
        lambda: _runtime.concatenate(tuple(p.array() for p in parts)),
        lambda: np.concatenate([p.numpy() for p in parts]),
    )
    agree(
        lambda: _runtime.concatenate([p.array() for p in parts], axis=None),
        lambda: np.concatenate([p.numpy() for p in parts], axis=None),
    )


def test_a_bad_index_surfaces_at_first_use(mode: str) -> None:
    a = myia.asarray(np.arange(10.0)) + 0.0
    if mode == "inline":
        with pytest.raises(IndexError):
            a[np.array([3, 99])]
        return
    taken = a[np.array([3, 99])]  # THE LINE
    for use in (lambda: taken[0], lambda: np.asarray(taken), lambda: taken.wait(), lambda: repr(taken)):
        with pytest.raises(IndexError, match="out of bounds") as caught:
            use()
        assert any("THE LINE" in note and "test_indexing.py" in note for note in caught.value.__notes__)
    # What is computed from it fails the same way, and nothing else does.
    after = taken + 1.0
    with pytest.raises(IndexError):
        after.sum()
    same(a + 1.0, np.arange(10.0) + 1.0)
    _runtime.wait_all()
