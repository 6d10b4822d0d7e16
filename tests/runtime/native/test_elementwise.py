"""Elementwise operators against NumPy's ufuncs: every dtype, layout, operand, destination and error state."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
from myia import _runtime
from myia._runtime import Array
from tests.runtime.native.arrays import (
    DTYPES,
    FLOATS,
    NUMPY_SCALARS,
    WEAK,
    Made,
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

UFUNCS = sorted({op.ufunc.__name__: op for op in _runtime.operators.values()}.items())  # type: ignore[attr-defined]
UNARY = [name for name, op in UFUNCS if op.ufunc.nin == 1]
BINARY = [name for name, op in UFUNCS if op.ufunc.nin == 2]


def kernel(name: str) -> Any:
    return _runtime.operators[name]


# -- every operator, every dtype ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, _ in UFUNCS])
def test_every_dtype(name: str) -> None:
    ufunc, kernel_ = getattr(np, name), kernel(name)
    arrays = [values(dtype, 19, 5) for dtype in DTYPES]
    others = [values(dtype, 19, 8) for dtype in DTYPES]
    with np.errstate(all="ignore"):
        for x in arrays:
            for y in others if ufunc.nin == 2 else [None]:
                operands = (x,) if y is None else (x, y)
                try:
                    expected = ufunc(*operands)
                except (TypeError, ValueError) as error:
                    with pytest.raises(type(error)):
                        kernel_(*map(myia.asarray, operands))
                    continue
                same(kernel_(*map(myia.asarray, operands)), expected)


@pytest.mark.parametrize("name", [name for name, _ in UFUNCS])
def test_other_names_are_the_same(name: str) -> None:
    assert kernel(name).ufunc is getattr(np, name)
    assert kernel(name).__name__ == name
    assert kernel(name).nin == getattr(np, name).nin


# -- layouts, broadcasting, scalars, destinations -----------------------------------------------------------

FEW = [
    "add",
    "multiply",
    "divide",
    "maximum",
    "less",
    "power",
    "arctan2",
    "floor_divide",
    "logical_and",
    "copysign",
]


@given(st.data())
@limited(75)
def test_binary(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FEW + BINARY))
    shape = data.draw(shapes())
    a = data.draw(made(shape=data.draw(broadcasting(shape))))
    b = data.draw(made(shape=data.draw(broadcasting(shape))))
    ufunc = getattr(np, name)
    agree(lambda: kernel(name)(a.array(), b.array()), lambda: ufunc(a.numpy(), b.numpy()))


@given(st.data())
@limited(40)
def test_unary(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(UNARY))
    a = data.draw(made())
    agree(lambda: kernel(name)(a.array()), lambda: getattr(np, name)(a.numpy()))


@given(st.data())
@limited(50)
def test_shapes_that_do_not_fit(data: st.DataObject) -> None:
    a, b = data.draw(made(most=3)), data.draw(made(most=3))
    agree(lambda: kernel("add")(a.array(), b.array()), lambda: np.add(a.numpy(), b.numpy()))


@given(st.data())
@limited(75)
def test_number_operands(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FEW + BINARY))
    a = data.draw(made(most=2))
    number = data.draw(st.one_of(WEAK, NUMPY_SCALARS))
    ufunc = getattr(np, name)
    if data.draw(st.booleans()):
        agree(lambda: kernel(name)(a.array(), number), lambda: ufunc(a.numpy(), number))
    else:
        agree(lambda: kernel(name)(number, a.array()), lambda: ufunc(number, a.numpy()))


@given(st.data())
@limited(40)
def test_ndarray_and_list_operands(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FEW))
    shape = data.draw(shapes(most=2))
    a = data.draw(made(shape=shape))
    b = data.draw(made(shape=data.draw(broadcasting(shape))))
    ufunc = getattr(np, name)
    agree(lambda: kernel(name)(a.array(), b.numpy()), lambda: ufunc(a.numpy(), b.numpy()))
    agree(lambda: kernel(name)(b.numpy(), a.array()), lambda: ufunc(b.numpy(), a.numpy()))
    agree(lambda: kernel(name)(a.array(), b.numpy().tolist()), lambda: ufunc(a.numpy(), b.numpy().tolist()))


@given(st.data())
@limited(75)
def test_into_a_destination(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*FEW, "sqrt", "exp", "negative", "isnan"]))
    ufunc = getattr(np, name)
    shape = data.draw(shapes(most=3))
    operands = [data.draw(made(shape=data.draw(broadcasting(shape)))) for _ in range(ufunc.nin)]
    out = data.draw(made(shape=shape))

    def numpy() -> Any:
        made_out = out.numpy()
        result = ufunc(*(one.numpy() for one in operands), out=made_out)
        assert result is made_out
        return result

    def run() -> Any:
        made_out = out.array()
        result = kernel(name)(*(one.array() for one in operands), out=made_out)
        assert result is made_out
        return result

    agree(run, numpy)


@given(st.data())
@limited(75)
def test_into_an_operand_or_a_view_that_overlaps(data: st.DataObject) -> None:
    length = data.draw(st.integers(2, 40))
    # No complex numbers: NumPy rounds their products otherwise when they lie backwards, and the copy that
    # keeps apart what overlaps need not lie as NumPy's does.
    dtype = data.draw(st.sampled_from([np.dtype(t) for t in ("f8", "f4", "i4", "u1")]))
    base = Made(dtype, (length + 6,), data.draw(st.integers(0, 99)), "C", own=data.draw(st.booleans()))
    starts = [data.draw(st.integers(0, 3)) for _ in range(3)]
    backwards = [data.draw(st.booleans()) for _ in range(3)]
    name = data.draw(st.sampled_from(["add", "multiply", "subtract"]))
    mixed = data.draw(st.booleans())  # one operand comes in as an ndarray on the same memory

    def window(x: Any, k: int) -> Any:
        view = x[starts[k] : starts[k] + length]
        return view[::-1] if backwards[k] else view

    def numpy() -> Any:
        x = base.numpy()
        getattr(np, name)(window(x, 0), window(x, 1), out=window(x, 2))
        return x

    def run() -> Any:
        x = base.array()
        left = window(np.asarray(x), 0) if mixed else window(x, 0)
        kernel(name)(left, window(x, 1), out=window(x, 2))
        return x

    agree(run, numpy)


def test_into_an_overlapping_view_of_shared_memory() -> None:
    memory = values(np.dtype("f8"), 500, 1, False)
    expected = memory.copy()
    a, b = myia.asarray(memory), myia.asarray(memory)
    kernel("add")(a[:-1], 1.0, out=b[1:])
    np.add(expected[:-1], 1.0, out=expected[1:])
    _runtime.wait_all()
    same(myia.asarray(memory), expected)


def test_two_arrays_of_the_same_memory_are_ordered() -> None:
    memory = np.zeros(200_000)
    a, b = myia.asarray(memory), myia.asarray(memory)
    for k in range(20):
        a += 1.0
        copy = b + 0.0
        assert copy[0] == copy[-1] == k + 1
        b += 0.0


@given(st.data())
@limited(30)
def test_options_of_ufuncs(data: st.DataObject) -> None:
    a = data.draw(made(most=2, dtypes=FLOATS))
    shape = a.numpy().shape
    mask = np.random.default_rng(3).random(shape) < 0.5
    for options in (
        {"dtype": "f8"},
        {"casting": "no"},
        {"dtype": "f4", "casting": "same_kind"},
        {"subok": False},
    ):
        agree(lambda o=options: kernel("add")(a.array(), 1, **o), lambda o=options: np.add(a.numpy(), 1, **o))  # type: ignore[misc]
    out, expected = myia.asarray(np.zeros(shape)), np.zeros(shape)
    kernel("add")(a.array(), 1, out=out, where=mask)
    np.add(a.numpy(), 1, out=expected, where=mask)
    same(out, expected)
    agree(lambda: kernel("add")(a.array(), 1, nonsense=2), lambda: np.add(a.numpy(), 1, nonsense=2))  # type: ignore[call-overload]
    agree(lambda: kernel("add")(a.array()), lambda: np.add(a.numpy()))  # type: ignore[call-overload]


# -- Python's operators -------------------------------------------------------------------------------------

OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    divmod, operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift, operator.lt, operator.le,
    operator.eq, operator.ne, operator.gt, operator.ge,
]  # fmt: skip
IN_PLACE = [
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod,
    operator.ipow, operator.iand, operator.ior, operator.ixor, operator.ilshift, operator.irshift,
]  # fmt: skip


@given(st.data())
@limited(60)
def test_operators(data: st.DataObject) -> None:
    apply = data.draw(st.sampled_from(OPERATORS))
    shape = data.draw(shapes(most=2))
    a = data.draw(made(shape=shape))
    kind = data.draw(st.sampled_from(["array", "ndarray", "number", "scalar", "list", "0-d"]))
    if kind in ("array", "ndarray", "list"):
        b = data.draw(made(shape=data.draw(broadcasting(shape))))
        left: Any = b.numpy()
        right: Any = b.array() if kind == "array" else b.numpy()
        if kind == "list":
            left = right = left.tolist()
    else:
        left = data.draw(WEAK if kind == "number" else NUMPY_SCALARS)
        right = left
        if kind == "0-d":
            left = np.asarray(left)
            right = myia.asarray(left)
    agree(lambda: apply(a.array(), right), lambda: apply(a.numpy(), left))
    agree(lambda: apply(right, a.array()), lambda: apply(left, a.numpy()))


@given(st.data())
@limited(75)
def test_operators_in_place(data: st.DataObject) -> None:
    apply = data.draw(st.sampled_from(IN_PLACE))
    shape = data.draw(shapes(most=2))
    a = data.draw(made(shape=shape))
    b = data.draw(made(shape=data.draw(broadcasting(shape))))
    number = data.draw(st.one_of(WEAK, NUMPY_SCALARS))
    for left, right in ((b.numpy(), b.array()), (number, number), (b.numpy(), b.numpy())):

        def numpy(left: Any = left) -> Any:
            x = a.numpy()
            return apply(x, left)

        def run(right: Any = right) -> Any:
            x = a.array()
            result = apply(x, right)
            assert result is x
            return result

        agree(run, numpy)


@given(st.data())
@limited(30)
def test_unary_operators(data: st.DataObject) -> None:
    a = data.draw(made())
    for apply in (operator.neg, operator.pos, abs, operator.invert):
        agree(lambda f=apply: f(a.array()), lambda f=apply: f(a.numpy()))  # type: ignore[misc]
    for apply in (bool, int, float, complex, operator.index):
        agree(lambda f=apply: f(a.array()), lambda f=apply: f(a.numpy()))  # type: ignore[misc]


EXPONENTS = [2, 2.0, 0.5, -1, 1, 0, 3, -0.5, 1.0, -1.0, True, np.float64(2), np.float32(0.5), np.int64(2), 2j]


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i8", "f2", "?"])
def test_powers_that_numpy_rewrites(dtype: str) -> None:
    x = values(np.dtype(dtype), 40, 3)
    for exponent in EXPONENTS:
        agree(lambda e=exponent: myia.asarray(x) ** e, lambda e=exponent: x**e)  # type: ignore[misc]
        agree(
            lambda e=exponent: operator.ipow(myia.asarray(x.copy()), e),  # type: ignore[misc]
            lambda e=exponent: operator.ipow(x.copy(), e),  # type: ignore[misc]
        )
        agree(lambda e=exponent: e ** myia.asarray(x), lambda e=exponent: e**x)  # type: ignore[misc]


class Stranger:
    """Something that answers to operators itself."""

    __array_ufunc__ = None

    def __radd__(self, other: Any) -> str:
        return "radd"

    def __add__(self, other: Any) -> str:
        return "add"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __rmatmul__(self, other: Any) -> str:
        return "rmatmul"


@pytest.mark.parametrize(
    "other", [None, "text", range(3), object(), {}, {1}, b"x", Stranger(), [1, 2, 3], (1, 2, 3)]
)
def test_strangers(other: Any) -> None:
    x = np.arange(3.0)

    def judge(apply: Any, first: bool) -> None:
        expected = outcome(lambda: apply(x, other) if first else apply(other, x))
        a = myia.asarray(x)
        found = outcome(lambda: apply(a, other) if first else apply(other, a))
        assert type(found.error) is type(expected.error), (apply, first, found, expected)
        if expected.error is None:
            assert np.array_equal(np.asarray(found.value), np.asarray(expected.value)), (apply, first)

    for apply in (operator.add, operator.eq, operator.ne, operator.mul, operator.lt):
        judge(apply, True)
        judge(apply, False)


def test_objects_that_become_arrays() -> None:
    class Convertible:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
            return np.arange(3.0)

    x = np.ones(3)
    same(myia.asarray(x) + Convertible(), x + Convertible())
    same(Convertible() + myia.asarray(x), Convertible() + x)
    same(myia.asarray(x) == Convertible(), x == Convertible())


# -- long arrays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1 << 15, (1 << 15) + 1, 300_007])
@pytest.mark.parametrize("name", ["add", "multiply", "exp", "tanh", "sin", "arctan2", "log1p"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_long(name: str, size: int, dtype: str) -> None:
    x, y = values(np.dtype(dtype), size, 1, False), values(np.dtype(dtype), size, 2, False)
    ufunc = getattr(np, name)
    with np.errstate(all="ignore"):
        same(kernel(name)(*map(myia.asarray, (x, y)[: ufunc.nin])), ufunc(*(x, y)[: ufunc.nin]))
        x, y = x[::-2], y[1::2][: len(x[::-2])]
        n = min(len(x), len(y))
        x, y = x[:n], y[:n]
        same(kernel(name)(*map(myia.asarray, (x, y)[: ufunc.nin])), ufunc(*(x, y)[: ufunc.nin]))


# -- the error state --------------------------------------------------------------------------------------------

CAUSES = [
    ("divide", lambda x: x / (x - x)),
    ("over", lambda x: x * 1e300 * 1e300),
    ("under", lambda x: x * 1e-300 * 1e-300),
    ("invalid", lambda x: (x - x) / (x - x)),
]


@pytest.mark.parametrize(("what", "cause"), CAUSES)
@pytest.mark.parametrize("how", ["ignore", "warn", "raise", "call", "print"])
def test_error_state(what: str, cause: Any, how: str, capfd: pytest.CaptureFixture[str]) -> None:
    x = np.arange(1.0, 40.0)
    called: list[Any] = []
    results = []
    for one in (x, myia.asarray(x)):
        with np.errstate(all="ignore", call=lambda words, flag: called.append((words, flag))):
            with np.errstate(**{what: how}):
                results.append(outcome(lambda one=one: cause(one)))  # type: ignore[misc]
    expected, found = results
    assert type(found.error) is type(expected.error)
    if expected.error is not None:
        assert str(found.error) == str(expected.error)
    else:
        same(found.value, expected.value)
    assert found.warned == expected.warned
    if how == "call":
        assert called
        assert called[: len(called) // 2] == called[len(called) // 2 :]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "c8", "c16"])
@pytest.mark.parametrize(
    "name", ["add", "multiply", "divide", "floor_divide", "remainder", "power", "exp", "square"]
)
def test_warnings_of_every_dtype(name: str, dtype: str) -> None:
    ufunc = getattr(np, name)
    for seed in range(3):
        x, y = values(np.dtype(dtype), 33, seed), values(np.dtype(dtype), 33, seed + 50)
        if np.dtype(dtype).kind in "fc":
            limits = np.finfo(dtype)
            x[3:6] = limits.max
            y[3:5] = limits.max
            y[9] = x[9] = limits.tiny
        operands = (x, y)[: ufunc.nin]
        with np.errstate(all="warn"):
            agree(lambda o=operands: kernel(name)(*map(myia.asarray, o)), lambda o=operands: ufunc(*o))  # type: ignore[misc]
        for what in ("over", "under", "divide", "invalid"):
            with np.errstate(all="ignore"), np.errstate(**{what: "raise"}):
                agree(lambda o=operands: kernel(name)(*map(myia.asarray, o)), lambda o=operands: ufunc(*o))  # type: ignore[misc]


def test_a_warning_comes_with_the_first_use() -> None:
    x = myia.asarray(np.zeros(100))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = 1.0 / x
        while not result.ready():
            pass
        assert result[0] == np.inf
        assert [w.category for w in caught] == [RuntimeWarning]


def test_a_warning_belongs_to_the_state_of_its_submission() -> None:
    x = myia.asarray(np.zeros(100))
    with np.errstate(divide="ignore"):
        result = 1.0 / x
    np.asarray(result)
    with (
        np.errstate(divide="raise"),
        pytest.raises(FloatingPointError, match="divide by zero encountered in divide"),
    ):
        1.0 / x  # noqa: B018
    # And nothing is left over.
    assert isinstance(x + 1.0, Array)
    _runtime.wait_all()
