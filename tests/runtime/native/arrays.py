"""Arrays of every kind and layout, made twice: for NumPy, and for the runtime that must agree with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import myia
from myia import _runtime
from myia._runtime import Array

DTYPES = [
    np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
]  # fmt: skip
FLOATS = [np.dtype("float32"), np.dtype("float64")]
INEXACT = [dtype for dtype in DTYPES if dtype.kind in "fc"]

_SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, np.inf, -np.inf, np.nan, 1e-3, 100.0, 7.25, -0.75]


def limited(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


def values(dtype: np.dtype[Any], count: int, seed: int, special: bool = True) -> np.ndarray[Any, Any]:
    """Numbers as they come, and among them those at which things go wrong."""
    random = np.random.default_rng(seed)
    if dtype.kind == "b":
        return random.random(count) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        found = random.integers(-6 if dtype.kind == "i" else 0, 12, count).astype(dtype)
        if special and count:
            for at in random.integers(0, count, count // 5):
                found[at] = random.choice(np.array([limits.min, limits.max, 0, 1], dtype))
        return found
    if dtype.kind == "c":
        part = np.dtype("f4" if dtype.itemsize == 8 else "f8")
        found = np.empty(count, dtype)
        found.real = values(part, count, seed + 1, special)
        found.imag = values(part, count, seed + 2, special)
        return found
    found = random.normal(0, 3, count)
    if special and count:
        at = random.integers(0, count, (count + 1) // 2)
        found[at] = random.choice(_SPECIAL, len(at))
    return found.astype(dtype)


View = Callable[[Any], Any]


@dataclass(frozen=True)
class Made:
    """How to make an array; each call makes it anew, in memory of its own."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """Of the base."""
    seed: int
    order: str
    views: tuple[tuple[str, Any], ...] = ()
    special: bool = True
    read_only: bool = False
    own: bool = field(default=False)
    """The Array has a storage of the runtime's, not the memory of an ndarray."""

    def base(self) -> np.ndarray[Any, Any]:
        size = int(np.prod(self.shape))
        return values(self.dtype, size, self.seed, self.special).reshape(self.shape, order=self.order)  # type: ignore[call-overload,no-any-return]

    def _viewed(self, x: Any, broadcast_to: Callable[..., Any]) -> Any:
        for what, how in self.views:
            if what == "index":
                x = x[how]
            elif what == "transpose":
                x = x.transpose(how)
            elif what == "broadcast":
                x = broadcast_to(x, how)
        return x

    def numpy(self) -> np.ndarray[Any, Any]:
        made = self._viewed(self.base(), np.broadcast_to)
        if self.read_only:
            made.flags.writeable = False
        return made  # type: ignore[no-any-return]

    def array(self) -> Array:
        if self.own and not self.read_only:
            base = self.base()
            if base.flags.c_contiguous:
                return self._viewed(myia.asarray(base).copy(), _runtime.broadcast_to)  # type: ignore[no-any-return]
            return self._viewed(myia.asarray(base.T).copy().T, _runtime.broadcast_to)  # type: ignore[no-any-return]
        return myia.asarray(self.numpy())

    @property
    def writable(self) -> bool:
        return not self.read_only and not any(what == "broadcast" for what, _ in self.views)


SIZES = st.sampled_from([0, 1, 1, 2, 3, 4, 5])


@st.composite
def shapes(draw: st.DrawFn, least: int = 0, most: int = 4) -> tuple[int, ...]:
    return tuple(draw(st.lists(SIZES, min_size=least, max_size=most)))


@st.composite
def made(
    draw: st.DrawFn,
    dtypes: Any = DTYPES,
    shape: tuple[int, ...] | None = None,
    least: int = 0,
    most: int = 4,
    special: bool = True,
    writable: bool = False,
) -> Made:
    dtype = draw(st.sampled_from(dtypes))
    if shape is None:
        shape = draw(shapes(least, most))
    seed = draw(st.integers(0, 2**16))
    order = draw(st.sampled_from("CF"))
    own = draw(st.booleans())
    layout = draw(
        st.sampled_from(["plain", "plain", "steps", "transposed", "both", "broadcast", "read-only"])
    )
    base = list(shape)
    views: list[tuple[str, Any]] = []
    if layout == "broadcast" and not writable and shape:
        kept = [draw(st.booleans()) for _ in shape]
        base = [n if keep else 1 for n, keep in zip(shape, kept, strict=True)]
        lead = draw(st.integers(0, len(shape)))
        if not any(kept[:lead]):
            base = base[lead:]
        views.append(("broadcast", tuple(shape)))
    if layout in ("transposed", "both"):
        axes = draw(st.permutations(range(len(shape))))
        base = [shape[axes.index(d)] for d in range(len(shape))]
        views.append(("transpose", tuple(axes)))
    if layout in ("steps", "both") and base:
        index = []
        for d, n in enumerate(base):
            step = draw(st.sampled_from([1, 2, -1, -2, 3]))
            before, after = draw(st.integers(0, 2)), draw(st.integers(0, 1))
            reach = (n - 1) * abs(step) + 1 if n else 0
            base[d] = before + reach + after
            if not n:
                index.append(slice(before, before, step))
            elif step > 0:
                index.append(slice(before, before + reach, step))
            else:
                index.append(slice(before + reach - 1, before - 1 if before else None, step))
        views.insert(0, ("index", tuple(index)))
    return Made(
        dtype, tuple(base), seed, order, tuple(views), special, layout == "read-only" and not writable, own
    )


@st.composite
def broadcasting(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to this one."""
    lead = draw(st.sampled_from([0, 0, 0, 1, 2]))
    return tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in shape)[lead:]


WEAK = st.sampled_from(
    [0, 1, -1, 2, 7, 200, -300, 70000, 2**40, 2**63, 0.5, -2.0, 0.0, 1e39, 1e300, 1j, True]
)
NUMPY_SCALARS = st.sampled_from(
    [np.float32(1.5), np.float64(-2.25), np.int8(3), np.uint8(250), np.int64(-5), np.uint64(2**63), np.bool_(True),
     np.float16(0.1), np.complex64(1 - 2j), np.complex128(2j)]
)  # fmt: skip


# -- comparing ---------------------------------------------------------------------------------------------


def _bits(x: np.ndarray[Any, Any]) -> bytes:
    x = np.array(x, order="C", copy=True, ndmin=1)
    if x.dtype.kind in "fc":
        parts = x.view(x.real.dtype)
        parts[np.isnan(parts)] = np.nan  # which NaN it is does not matter
    return x.tobytes()


def same(result: Any, expected: Any, *, array: bool = True) -> None:
    """The result is NumPy's: kind of object, shape, dtype, bits; the order of the axes in memory too."""
    if isinstance(expected, np.ndarray) and (array or expected.ndim):
        if expected.ndim:
            assert isinstance(result, (Array, np.ndarray)), f"{type(result)} for an array"
        assert result.shape == expected.shape
        assert result.dtype == expected.dtype
        strides = result.strides
        found = np.asarray(result)
    else:
        assert type(result) is type(expected), f"{type(result)} for {type(expected)}"
        if not isinstance(expected, (np.generic, np.ndarray)):
            assert result == expected or repr(result) == repr(expected)  # NaN is not itself
            return
        found, strides = np.asarray(result), None
        expected = np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert _bits(found) == _bits(expected), f"{found!r}\nfor\n{expected!r}"
    if strides is not None and expected.size:
        long = [d for d in range(expected.ndim) if expected.shape[d] > 1]
        assert [strides[d] for d in long] == [expected.strides[d] for d in long], "another layout"


@dataclass
class Outcome:
    value: Any = None
    error: BaseException | None = None
    warned: frozenset[tuple[type, str]] = frozenset()


def outcome(function: Callable[[], Any]) -> Outcome:
    """What a call gives, raises and warns of, once all is done."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = function()
            _runtime.wait_all()
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Array):
                    one.wait()
            made = Outcome(value)
        except Exception as error:  # noqa: BLE001 - any, to be compared
            made = Outcome(error=error)
    made.warned = frozenset((w.category, str(w.message).split(" in ")[0]) for w in caught)
    return made


def agree(run: Callable[[], Any], numpy: Callable[[], Any], *, warned: bool = True) -> Any:
    """Both give the same, or fail the same way, and warn of the same. The result of the runtime."""
    expected, found = outcome(numpy), outcome(run)
    if expected.error is not None or found.error is not None:
        assert type(found.error) is type(expected.error), (
            f"{found.error!r} ({found.value!r}) for {expected.error!r}"
        )
        return None
    if isinstance(expected.value, tuple):
        assert len(found.value) == len(expected.value)
        for one, other in zip(found.value, expected.value, strict=True):
            same(one, other)
    elif expected.value is NotImplemented or expected.value is None:
        assert found.value is expected.value
    else:
        same(found.value, expected.value)
    if warned:
        assert found.warned == expected.warned
    return found.value
