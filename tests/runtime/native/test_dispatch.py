"""What goes to NumPy, and comes back: NumPy's functions and ufunc methods on Arrays; fused kernels; the facade."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia._runtime import Array
from myia.runtime import adjoints, elementwise
from tests.runtime.native.arrays import (
    DTYPES,
    FLOATS,
    agree,
    broadcasting,
    limited,
    made,
    same,
    shapes,
    values,
)

pytestmark = pytest.mark.usefixtures("mode")

X = values(np.dtype("f8"), 36, 1, False).reshape(6, 6)

FUNCTIONS = [
    ("linalg.norm", lambda a: np.linalg.norm(a)), ("linalg.solve", lambda a: np.linalg.solve(a, a[0])),
    ("linalg.inv", np.linalg.inv), ("linalg.svd", lambda a: tuple(np.linalg.svd(a))), ("stack", lambda a: np.stack([a, a], 1)),
    ("einsum", lambda a: np.einsum("ij,jk->ik", a, a)), ("vstack", lambda a: np.vstack([a, a])),
    ("cumsum", lambda a: np.cumsum(a, 1)), ("sort", lambda a: np.sort(a, 0)), ("argsort", lambda a: np.argsort(a, 0)),
    ("median", np.median), ("percentile", lambda a: np.percentile(a, 30)), ("std", lambda a: np.std(a, 0)),
    ("var", np.var), ("diag", np.diag), ("tril", np.tril), ("kron", lambda a: np.kron(a, a[:2])),
    ("tensordot", lambda a: np.tensordot(a, a, 1)), ("outer", lambda a: np.outer(a[0], a[1])), ("inner", lambda a: np.inner(a, a)),
    ("roll", lambda a: np.roll(a, 2, 1)), ("flip", lambda a: np.flip(a, 0)), ("rot90", np.rot90), ("pad", lambda a: np.pad(a, 1)),
    ("repeat", lambda a: np.repeat(a, 2, 0)), ("tile", lambda a: np.tile(a, 2)), ("take", lambda a: np.take(a, [1, 2], 0)),
    ("choose", lambda a: np.choose([0, 1], [a[0, :2], a[1, :2]])), ("unique", lambda a: np.unique(a)),
    ("histogram", lambda a: np.histogram(a)[0]), ("interp", lambda a: np.interp(a[0], [0, 1], [2, 3])),
    ("nanmax", np.nanmax), ("allclose", lambda a: np.allclose(a, a)), ("array_equal", lambda a: np.array_equal(a, a)),
    ("count_nonzero", np.count_nonzero), ("nonzero", np.nonzero), ("fft", np.fft.fft), ("gradient", lambda a: np.gradient(a)[0]),
    ("shape", np.shape), ("ndim", np.ndim), ("size", np.size), ("zeros_like", np.zeros_like), ("full_like", lambda a: np.full_like(a, 3)),
    ("clip", lambda a: np.clip(a, -1, 1)), ("round", lambda a: np.round(a, 1)), ("real", np.real), ("iscomplexobj", np.iscomplexobj),
    ("result_type", lambda a: np.result_type(a, 1.0)), ("squeeze", lambda a: np.squeeze(a[None])), ("ravel", np.ravel),
    ("expand_dims", lambda a: np.expand_dims(a, 0)), ("atleast_3d", np.atleast_3d), ("moveaxis", lambda a: np.moveaxis(a, 0, 1)),
    ("broadcast_to", lambda a: np.broadcast_to(a, (2, 6, 6))), ("broadcast_arrays", lambda a: tuple(np.broadcast_arrays(a, a[0]))),
    ("split", lambda a: tuple(np.split(a, 2))), ("meshgrid", lambda a: tuple(np.meshgrid(a[0], a[1]))), ("ix", lambda a: a[np.ix_([0, 1], [2, 3])]),
    ("block", lambda a: np.block([[a, a], [a, a]])), ("where", lambda a: np.where(a > 0, a, 0)), ("select", lambda a: np.select([a > 0], [a])),
    ("apply_along_axis", lambda a: np.apply_along_axis(np.sum, 0, a)), ("vectorize", lambda a: np.vectorize(abs)(a)),
    ("divmod", lambda a: np.divmod(a, 2.0)), ("modf", np.modf), ("frexp", np.frexp), ("add.reduce", lambda a: np.add.reduce(a)),
    ("add.accumulate", lambda a: np.add.accumulate(a, 1)), ("add.outer", lambda a: np.add.outer(a[0], a[1])),
    ("add.reduceat", lambda a: np.add.reduceat(a[0], [0, 3])), ("multiply.reduce", lambda a: np.multiply.reduce(a, axis=(0, 1))),
    ("where=", lambda a: np.add(a, 1, where=a > -100)), ("dtype=", lambda a: np.add(a, 1, dtype="f4", casting="same_kind")),
    ("array2string", np.array2string), ("min_scalar", lambda a: np.can_cast(a.dtype, "f4")), ("trapezoid", np.trapezoid),
    ("sum", np.sum), ("cov", np.cov), ("polyfit", lambda a: np.polyfit(a[0], a[1], 1)), ("lexsort", lambda a: np.lexsort((a[0], a[1]))),
    ("searchsorted", lambda a: np.searchsorted(np.sort(a[0]), a[1])), ("cross", lambda a: np.cross(a[0, :3], a[1, :3])),
    ("linspace", lambda a: np.linspace(a[0], a[1], 4)), ("arange", lambda a: np.arange(a.shape[0])), ("matvec", lambda a: np.matvec(a, a[0])),
    ("vecdot", lambda a: np.vecdot(a, a)), ("insert", lambda a: np.insert(a, 1, 7.0, 0)), ("float", lambda a: float(a[0, 0])),
    ("math", lambda a: __import__("math").sin(a[0, 0])), ("sorted", lambda a: tuple(sorted(a[0]))), ("min", lambda a: min(a[0])),
    ("sum of rows", lambda a: sum(a)), ("divmod operator", lambda a: divmod(a, 2)), ("unpacked", lambda a: tuple(a[0])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_functions_of_numpy(name: str, function: Any) -> None:
    agree(lambda: function(myia.asarray(X)), lambda: function(X))
    agree(lambda: function(myia.asarray(X) + 0.0), lambda: function(X + 0.0))


def test_functions_that_write() -> None:
    for write in (
        lambda a: np.copyto(a, 3.0), lambda a: np.put(a, [0, 1], 9.0), lambda a: np.fill_diagonal(a, 4.0),
        lambda a: np.add.at(a, [0, 0], 1.0), lambda a: np.cumsum(a, 0, out=a), lambda a: np.clip(a, 0, 1, out=a),
        lambda a: np.add(a, 1, out=a), lambda a: np.place(a, np.asarray(a) > 0, [5.0]), lambda a: np.negative(a, a),
        lambda a: np.add(a[0], a[1], out=(a[2],)), lambda a: np.modf(a[0], a[1], a[2]),
        lambda a: a.partition(2), lambda a: a.put([1], 2.0),
    ):  # fmt: skip
        x, a = X.copy(), myia.asarray(X.copy()) + 0.0
        write(x)
        write(a)
        same(a, x)


def test_destinations_come_back() -> None:
    a, out = myia.asarray(X), myia.asarray(np.zeros((6, 6)))
    nd = np.zeros((6, 6))
    assert np.add(a, a, out=out) is out
    assert np.add(a, a, out=nd) is nd
    assert np.add(X, X, out=out) is out
    assert np.cumsum(a, 0, out=out) is out
    assert np.clip(a, 0, 1, out=out) is out
    assert np.concatenate([a[:3], a[3:]], out=out) is out
    first, second = np.modf(a, out=(out, nd))
    assert first is out or np.shares_memory(first, out)
    assert second is nd
    nd += a
    assert type(nd) is np.ndarray
    _runtime.wait_all()


def test_arrays_inside_containers() -> None:
    class Pair(NamedTuple):
        first: Any
        second: Any

    a = myia.asarray(X)
    seen: list[Any] = []
    _runtime.outside(
        lambda *args, **kwargs: seen.extend([args, kwargs]), [a, (a, 1)], {"k": a}, Pair(a, 2), z=[a]
    )
    args, kwargs = seen
    assert type(args[0][0]) is np.ndarray
    assert type(args[0][1][0]) is np.ndarray
    assert type(args[1]["k"]) is np.ndarray
    assert type(args[2]) is Pair
    assert type(args[2].first) is np.ndarray
    assert type(kwargs["z"][0]) is np.ndarray
    left = _runtime.leave(({"x": [a, Pair(a, 1)]}, 3))
    assert type(left[0]["x"][1]) is Pair
    assert type(left[0]["x"][1].first) is np.ndarray
    entered = _runtime.enter((X, [X, (X,)], {"x": X}, 1, np.float64(2)))
    assert isinstance(entered[0], Array)
    assert entered[1][0] is entered[1][1][0] is X  # containers are the user's, and stay as they are
    assert entered[2]["x"] is X
    same_tuple = (1, "x", 2.5)
    assert _runtime.enter(same_tuple) == same_tuple


def test_errors_of_the_host_come_through() -> None:
    a = myia.asarray(X)
    for function in (
        lambda a: np.linalg.solve(a, a[0, :2]), lambda a: np.stack([a, a[0]]), lambda a: np.einsum("ij,jk", a),
        lambda a: a.reshape(7), lambda a: a.nonsense, lambda a: np.add(a, a, out=a[0]), lambda a: np.linalg.inv(a * 0),
        lambda a: a.item(99), lambda a: a.astype("f8", casting="nonsense"), lambda a: float(a), lambda a: bool(a),
    ):  # fmt: skip
        agree(lambda f=function: f(a), lambda f=function: f(X))  # type: ignore[misc]


# -- fused kernels against the pure Python --------------------------------------------------------------------

FUSED = [
    "times",
    "quotient",
    "tanh_adjoint",
    "maximum_adjoint",
    "minimum_adjoint",
    "fmax_adjoint",
    "fmin_adjoint",
]


@pytest.mark.parametrize("name", FUSED)
@given(data=st.data())
@limited(20)
def test_fused(name: str, data: st.DataObject) -> None:
    pure, native = getattr(elementwise, name), getattr(rt, name)
    count = pure.__code__.co_argcount
    shape = data.draw(shapes(most=3))
    dtype = data.draw(st.sampled_from(FLOATS))
    whole = data.draw(made([dtype], shape))
    others = []
    for _ in range(count - 1):
        if name != "tanh_adjoint" and data.draw(st.integers(0, 5)) == 0:
            number = data.draw(st.sampled_from([0.0, 1.0, -2.5, np.inf, np.nan]))
            others.append((number, number))
        else:
            recipe = data.draw(
                made([dtype], shape if name == "tanh_adjoint" else data.draw(broadcasting(shape)))
            )
            others.append((recipe.array(), recipe.numpy()))
    with np.errstate(all="ignore"):
        expected = pure(whole.numpy(), *(y for _, y in others))
        found = native(whole.array(), *(a for a, _ in others))
        found_array, expected_array = np.asarray(found), np.asarray(expected)
        assert found_array.dtype == expected_array.dtype
        assert found_array.shape == expected_array.shape
        if name == "tanh_adjoint":
            np.testing.assert_allclose(
                found_array, expected_array, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps
            )
        else:
            np.testing.assert_array_equal(found_array, expected_array)
        zero = np.broadcast_to(whole.numpy() == 0, found_array.shape)
        assert not np.any(found_array[zero])


@pytest.mark.parametrize("name", FUSED)
def test_fused_kernels_of_zero_cotangents_are_silent(name: str) -> None:
    count = getattr(elementwise, name).__code__.co_argcount
    g = np.zeros(20)
    others = [np.array([0.0, np.inf, -np.inf, np.nan] * 5) for _ in range(count - 1)]
    with np.errstate(all="raise"):
        result = getattr(rt, name)(myia.asarray(g), *map(myia.asarray, others))
        assert not np.asarray(result).any()
        _runtime.wait_all()


@given(st.data())
@limited(15)
def test_zeros_like(data: st.DataObject) -> None:
    x = data.draw(made()).numpy()
    if not x.ndim:
        return
    a = myia.asarray(x)
    found, expected = rt.zeros_like(a), adjoints.zeros_like(x)  # type: ignore[attr-defined]
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert not np.asarray(found).any()
    assert not np.shares_memory(np.asarray(found), x)


def test_zeros_take_memory_when_they_are_first_used() -> None:
    x = myia.asarray(np.ones(100_000))
    _runtime.wait_all()
    before = _runtime.memory_stats()["live"]
    zeros = [rt.zeros_like(x) for _ in range(20)]  # type: ignore[attr-defined]
    _runtime.wait_all()
    assert _runtime.memory_stats()["live"] - before < 20_000
    read, written, indexed, taken, twice, *_ = zeros
    assert not np.asarray(read + read).any()
    written[3:5] = 2.0
    assert float(np.sum(written)) == 4.0
    indexed[7] = 1.0
    assert [float(indexed[7]), float(indexed[8]), float(np.sum(indexed))] == [1.0, 0.0, 1.0]
    assert float(taken[99_999]) == 0.0
    results = [twice + k for k in range(4)]
    assert [float(r[-1]) for r in results] == [0.0, 1.0, 2.0, 3.0]
    huge = rt.zeros_like(np.broadcast_to(1.0, (1 << 22, 1 << 22)))  # type: ignore[attr-defined]
    with pytest.raises(MemoryError):
        huge[0, 0]
    with pytest.raises(MemoryError):
        huge[0].wait()
    with pytest.raises(MemoryError):
        (huge[:2, :2] + 1.0).wait()


def test_pending_results_are_handed_out_without_a_copy() -> None:
    """A task that has not run yet, or is not quite over, is no other view of the memory."""
    x = np.linspace(-1.0, 1.0, 200_000)
    a = myia.asarray(x)
    for _ in range(10):
        found = np.tanh(a * 0.5) * 3.0
        assert _runtime.is_own(found, x.shape, x.dtype)
        handed = adjoints.like(found, x, [])
        del found
        assert not handed.flags.owndata
        np.testing.assert_array_equal(handed, np.tanh(x * 0.5) * 3.0)
        handed[:] = 7.0  # nothing reads or writes it any more
        assert (handed == 7.0).all()


def test_empty_and_is_own() -> None:
    for dtype in DTYPES:
        made_ = _runtime.empty((2, 3), dtype)
        assert (made_.shape, made_.dtype) == ((2, 3), dtype)
        assert _runtime.is_own(made_, (2, 3), dtype)
        assert not _runtime.is_own(made_, (3, 2), dtype)
        assert not _runtime.is_own(made_.T, (3, 2), dtype)
        view = made_[:1]
        assert not _runtime.is_own(made_, (2, 3), dtype)
        del view
        assert not _runtime.is_own(myia.asarray(np.zeros((2, 3), dtype)), (2, 3), dtype)
    with pytest.raises(ValueError, match="negative"):
        _runtime.empty((-1,), "f8")
    with pytest.raises(TypeError):
        _runtime.empty((2,), "O")
    with pytest.raises(LookupError):
        _runtime.fused("nonsense", lambda: None)
