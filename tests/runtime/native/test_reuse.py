"""`reuse=`: a result in the memory of an operand that is dead, and only where nothing can see it."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia._runtime import Array
from tests.runtime.native.arrays import FLOATS, agree, limited, made, same, values

pytestmark = pytest.mark.usefixtures("mode")

SIZES = [1, 8, 1000, 40_000]
REUSES = sys.version_info < (3, 14)  # then locals are loaded without references, and reuse is off


def own(n: int | tuple[int, ...] = 8, dtype: Any = "f8", seed: int = 0) -> Any:
    """An Array in memory of the runtime's own."""
    return myia.asarray(np.random.default_rng(seed).normal(size=n).astype(dtype)).copy()


def address(a: Any) -> int:
    return int(a.__array_interface__["data"][0])


def taken(before: int, result: Any) -> bool:
    return address(result) == before


def expect_reuse(before: int, result: Any) -> None:
    assert taken(before, result) is REUSES


# -- it happens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_into_either_operand(n: int, dtype: Any) -> None:
    a, x = own(n, dtype), own(n, dtype, 1)
    expected, where = np.asarray(a) + np.asarray(x), address(a)
    a = rt.add(a, x, reuse=a)
    expect_reuse(where, a)
    same(a, expected)
    a = rt.subtract(x, a, reuse=a)
    expect_reuse(where, a)
    same(a, np.asarray(x) - expected)


@pytest.mark.parametrize("n", SIZES)
def test_operand_that_stands_twice(n: int) -> None:
    a = own(n)
    expected, where = np.asarray(a) * np.asarray(a), address(a)
    a = rt.multiply(a, a, reuse=a)
    expect_reuse(where, a)
    same(a, expected)
    a = rt.times(a, a, reuse=a)
    expect_reuse(where, a)
    same(a, expected * expected)


@pytest.mark.parametrize("n", SIZES)
def test_one_operand(n: int) -> None:
    a = own(n)
    expected, where = np.tanh(np.asarray(a)), address(a)
    a = rt.tanh(a, reuse=a)
    expect_reuse(where, a)
    same(a, expected)


def test_numbers_and_rows() -> None:
    a, row = own((30, 50)), own(50, seed=1)
    expected, where = np.asarray(a) * 0.5 + np.asarray(row), address(a)
    a = rt.multiply(0.5, a, reuse=a)
    a = rt.add(a, row, reuse=a)
    expect_reuse(where, a)
    same(a, expected)


def test_an_operand_that_is_no_operand() -> None:
    """Dead memory serves as well if the operation does not read it."""
    a, x = own(100), own(100, seed=1)
    where = address(a)
    b = rt.negative(x, reuse=a)
    expect_reuse(where, b)
    same(b, -np.asarray(x))


def test_other_orders_of_axes() -> None:
    a = rt.add(own((20, 30)).T, own((20, 30), seed=1).T)
    assert a.strides == (8, 240)
    x = own((20, 30), seed=2).T
    expected, where = np.asarray(a) * np.asarray(x), address(a)
    a = rt.multiply(a, x, reuse=a)
    expect_reuse(where, a)
    same(a, expected)


@pytest.mark.parametrize("name", ["times", "quotient", "tanh_adjoint"])
@pytest.mark.parametrize("n", SIZES)
def test_backprops(name: str, n: int) -> None:
    function = getattr(rt, name)
    g, y = own(n), own(n, seed=1)
    expected = np.asarray(function(g, y)).copy()
    where = address(g)
    g = function(g, y, reuse=g)
    expect_reuse(where, g)
    same(g, expected)


@pytest.mark.parametrize("name", ["maximum_adjoint", "minimum_adjoint", "fmax_adjoint", "fmin_adjoint"])
def test_backprops_of_three(name: str) -> None:
    function = getattr(rt, name)
    g, x, other = own(500), own(500, seed=1), own(500, seed=2)
    expected = np.asarray(function(g, x, other)).copy()
    where = address(x)
    x = function(g, x, other, reuse=x)
    expect_reuse(where, x)
    same(x, expected)


def test_it_is_the_same_object() -> None:
    a = own()
    number = id(a)
    a = rt.exp(a, reuse=a)
    assert (id(a) == number) is REUSES


def test_no_new_memory() -> None:
    a, x = own(100_000), own(100_000, seed=1)
    _runtime.wait_all()
    blocks = _runtime.memory_stats()["blocks"]
    _runtime.reset_peak()
    before = _runtime.memory_stats()["peak"]
    for _ in range(20):
        a = rt.add(a, x, reuse=a)
        a = rt.tanh(a, reuse=a)
        a = rt.times(x, a, reuse=a)
    a.wait()
    _runtime.wait_all()
    assert _runtime.memory_stats()["blocks"] == blocks
    if REUSES:
        assert _runtime.memory_stats()["peak"] < before + 100_000


def test_calls_of_every_form() -> None:
    """A name that is not interned; arguments that Python unpacks; the module's attribute."""
    a, x = own(), own(seed=1)
    expected, where = np.asarray(a) + np.asarray(x), address(a)
    name = "".join(["re", "use"])
    b = rt.add(a, x, **{name: a})  # the dictionary holds it
    assert not taken(where, b)
    same(b, expected)
    same(rt.add(*(a, x), reuse=a), expected)
    add = rt.add
    same(add(a, x, reuse=a), expected)


def test_a_cell_is_a_variable_too() -> None:
    a = own()
    where = address(a)

    def read() -> Any:
        return a

    a = rt.exp(a, reuse=a)
    expect_reuse(where, read())


@pytest.mark.parametrize("n", [1, 4, 300])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("product", [rt.array_dot, rt.matmul])
def test_a_product_over_another_array(n: int, dtype: Any, product: Any) -> None:
    a, b, c = (own((n, n), dtype, k) for k in range(3))
    expected, where = np.asarray(product(a, b)).copy(), address(c)
    pending = rt.tanh(c)
    after = np.tanh(np.asarray(c).copy())
    d = product(a, rt.array_transpose(rt.array_transpose(b)), reuse=c)
    same(pending, after)  # what still read it has run first
    same(d, expected)
    del c
    expect_reuse(where, d)


def test_what_a_product_may_not_write_over() -> None:
    a, b = own((4, 4)), own((4, 4), seed=1)
    before, where = np.asarray(a).copy(), address(a)
    expected = np.asarray(a) @ np.asarray(b)
    same(rt.array_dot(a, b, reuse=a), expected)  # an operand
    same(a, before)
    for c in (own((4, 5)), own((2, 8)), own((4, 4), "f4"), own((4, 4)).T, own((8, 4))[:4], 3.0):
        same(rt.matmul(a, b, reuse=c), expected)
    held = [own((4, 4), seed=2)]
    c = held[0]
    kept, where = np.asarray(c).copy(), address(c)
    assert not taken(where, rt.array_dot(a, b, reuse=c))
    same(c, kept)


# -- it does not happen ---------------------------------------------------------------------------------------


def second_variable(a: Any) -> Any:
    return a


def in_a_list(a: Any) -> Any:
    return [a]


def in_a_dictionary(a: Any) -> Any:
    return {"key": a}


def in_an_attribute(a: Any) -> Any:
    class Holder:
        pass

    holder = Holder()
    holder.array = a  # type: ignore[attr-defined]
    return holder


def in_a_closure(a: Any) -> Any:
    return lambda: a


def in_a_default(a: Any) -> Any:
    def function(x: Any = a) -> Any:
        return x

    return function


def in_a_generator(a: Any) -> Any:
    def items() -> Any:
        yield 0
        yield a

    generator = items()
    next(generator)
    return generator


def a_view(a: Any) -> Any:
    return a[1:]


def a_whole_view(a: Any) -> Any:
    return a[:]


def a_reshaped_view(a: Any) -> Any:
    return a.reshape(-1, 1)


def a_view_of_a_view(a: Any) -> Any:
    return a[2:][1:]


def an_ndarray(a: Any) -> Any:
    return np.asarray(a)


def a_slice_of_an_ndarray(a: Any) -> Any:
    return np.asarray(a)[3:]


def an_array_of_an_ndarray(a: Any) -> Any:
    return myia.asarray(np.asarray(a)[3:])


def a_buffer(a: Any) -> Any:
    return memoryview(a)


def dlpack(a: Any) -> Any:
    return np.from_dlpack(a)


def a_weak_reference(a: Any) -> Any:
    return weakref.ref(a)


def a_shadow(a: Any) -> Any:
    shadows = _runtime.Shadows()
    shadows.of(a)
    return shadows


HOLDERS: list[Callable[[Any], Any]] = [
    second_variable, in_a_list, in_a_dictionary, in_an_attribute, in_a_closure, in_a_default, in_a_generator,
    a_view, a_whole_view, a_reshaped_view, a_view_of_a_view, an_ndarray, a_slice_of_an_ndarray,
    an_array_of_an_ndarray, a_buffer, dlpack, a_weak_reference, a_shadow,
]  # fmt: skip


@pytest.mark.parametrize("n", [8, 40_000])
@pytest.mark.parametrize("hold", HOLDERS)
def test_nobody_else_sees_it(hold: Callable[[Any], Any], n: int) -> None:
    for name in ("exp", "negative"):
        function = getattr(rt, name)
        a = own(n)
        before = np.asarray(a).copy()
        where = address(a)
        held = hold(a)
        b = function(a, reuse=a)
        assert not taken(where, b), "written over what something else holds"
        same(a, before)
        same(b, getattr(np, name)(before))
        # And once it is let go, it may be.
        del held
        gc.collect()
        a = function(a, reuse=a)
        expect_reuse(where, a)


@pytest.mark.parametrize("hold", HOLDERS)
def test_nobody_else_sees_a_backprops_operand(hold: Callable[[Any], Any]) -> None:
    g, y = own(), own(seed=1)
    before, where = np.asarray(g).copy(), address(g)
    held = hold(g)
    assert not taken(where, rt.times(g, y, reuse=g))
    same(g, before)
    del held
    gc.collect()
    g = rt.times(g, y, reuse=g)
    expect_reuse(where, g)


def test_a_pending_backprop_reads_it() -> None:
    a = own()
    where = address(a)
    a.mark_read()
    b = rt.exp(a, reuse=a)
    assert not taken(where, b)
    a.unmark_read()
    a = rt.exp(a, reuse=a)
    expect_reuse(where, a)


def test_memory_of_the_user() -> None:
    x = values(np.dtype("f8"), 20, 3, False)
    before = x.copy()
    a = myia.asarray(x)
    b = rt.exp(a, reuse=a)
    same(b, np.exp(before))
    assert np.array_equal(x, before)
    c = rt.exp(x, reuse=x)
    same(c, np.exp(before))
    assert np.array_equal(x, before)


def test_arguments_in_a_tuple() -> None:
    a, x = own(), own(seed=1)
    where = address(a)
    args = (a, x)
    assert not taken(where, rt.add(*args, reuse=a))
    assert not taken(where, rt.add(*args, **{"reuse": a}))


def test_only_memory_that_fits() -> None:
    a = own((4, 6))
    same(rt.add(a, own((3, 4, 6)), reuse=a), np.asarray(a) + np.asarray(own((3, 4, 6))))
    row = own(6)
    where = address(row)
    b = rt.add(a, row, reuse=row)
    assert not taken(where, b)
    single = own(100, "f4")
    where = address(single)
    b = rt.add(single, own(100), reuse=single)
    assert b.dtype == "f8"
    assert not taken(where, b)
    b = rt.less(single, 0.0, reuse=single)
    assert b.dtype == bool
    ints = myia.asarray(np.arange(9)).copy()
    b = rt.divide(ints, 2.0, reuse=ints)
    same(b, np.arange(9) / 2.0)
    base = own(10)
    part = base[2:7]
    del base
    where = address(part)
    b = rt.exp(part, reuse=part)
    assert not taken(where, b)
    every = own((5, 8)).T[::2]
    where = address(every)
    assert not taken(where, rt.exp(every, reuse=every))


def test_results_lie_as_numpy_has_them() -> None:
    """An operand in another order of axes than the result: new memory."""
    a, x = own((6, 7)), own((7, 6), seed=1).T
    where = address(x)
    b = rt.add(a, x, reuse=x)
    assert not taken(where, b)
    same(b, np.asarray(a) + np.asarray(x))


# -- on the host ---------------------------------------------------------------------------------------------


def test_ignored_without_arrays() -> None:
    x, y = values(np.dtype("f8"), 9, 1, False), values(np.dtype("f8"), 9, 2, False)
    before = x.copy()
    for name in ("times", "quotient", "tanh_adjoint"):
        function = getattr(rt, name)
        same(function(x, y, reuse=x), np.asarray(function(x, y)))
        assert function(2.0, 0.5, reuse=2.0) == function(2.0, 0.5)
    same(rt.maximum_adjoint(x, y, 0.0, reuse=x), np.asarray(rt.maximum_adjoint(x, y, 0.0)))
    assert np.array_equal(x, before)
    assert rt.add(1.0, 2.0, reuse=None) == 3.0
    assert rt.add(1.0, 2.0, reuse=1.0) == 3.0
    assert rt.add("a", "b", reuse="a") == "ab"
    objects = np.array([1, 2**70], dtype=object)
    assert rt.add(objects, 1, reuse=objects).tolist() == [2, 2**70 + 1]
    with pytest.raises(TypeError):
        rt.add(x, reuse=x)
    with pytest.raises(TypeError):
        rt.times(x, reuse=x)


def test_beside_other_names() -> None:
    a, x = own(), own(seed=1)
    out = _runtime.empty((8,), "f8")
    where = address(a)
    assert rt.add(a, x, out=out, reuse=a) is out
    same(out, np.asarray(a) + np.asarray(x))
    same(rt.add(a, x, reuse=a, out=None), np.asarray(out))
    same(rt.add(a, x, dtype="f8", reuse=a, casting="same_kind"), np.asarray(out))
    assert address(a) == where
    d = own()
    assert rt.add_into(d, a, reuse=a) is d


# -- pending work ----------------------------------------------------------------------------------------------


def test_what_is_pending_reads_first() -> None:
    big = own((700, 700))
    for n in (8, 200_000):
        a = own(n)
        expected = np.asarray(a).copy()
        gate = (big @ big)[0, 0:1]
        late = rt.add(a, gate)  # cannot run yet, and reads a
        a = rt.exp(a, reuse=a)
        same(late, expected + np.asarray(gate))
        same(a, np.exp(expected))


def test_large_work_does_not_wait_for_readers() -> None:
    big = own((900, 900))
    a = own(300_000)
    where, expected = address(a), np.exp(np.asarray(a))
    gate = (big @ big)[0, 0:1]
    late = rt.add(a, gate)
    a = rt.exp(a, reuse=a)
    late.wait()
    expect_reuse(where, a)
    same(a, expected)


def test_small_work_does_not_wait_for_readers(mode: str) -> None:
    if mode != "inline":
        pytest.skip("nothing is done at once")
    big = own((900, 900))
    a = own(8)
    expected = np.exp(np.asarray(a))
    gate = (big @ big)[0, 0:1]
    late = rt.add(a, gate)
    a = rt.exp(a, reuse=a)
    assert a.ready()
    same(a, expected)
    late.wait()


def test_pending_operands() -> None:
    big = own((500, 500))
    a = (big @ big)[0] + 0.0
    expected = np.asarray(big @ big)[0]
    for _ in range(50):
        a = rt.multiply(a, 0.5, reuse=a)
        expected = expected * 0.5
    same(a, expected)


def failing(n: int) -> Any:
    """An Array of `n` elements whose work fails, perhaps later."""
    return myia.asarray(np.arange(10.0))[np.full(n, 99)]


def test_operands_that_fail(mode: str) -> None:
    if mode == "inline":
        pytest.skip("the failure comes at once")
    bad = failing(20) + 0.0
    bad = rt.exp(bad, reuse=bad)
    good = own(20)
    with pytest.raises(IndexError, match="out of bounds"):
        np.asarray(bad)
    bad = rt.add(bad, good, reuse=bad)
    with pytest.raises(IndexError, match="out of bounds"):
        bad.wait()
    # Written anew, without being read, it is whole again.
    bad = rt.negative(good, reuse=bad)
    same(bad, -np.asarray(good))
    good = rt.add(good, failing(20), reuse=good)
    with pytest.raises(IndexError, match="out of bounds"):
        good.wait()
    _runtime.wait_all()


# -- the error state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ignore", "warn", "raise"])
@pytest.mark.parametrize("n", [20, 40_000])
def test_error_state(how: str, n: int) -> None:
    x = np.linspace(-1.0, 1.0, n + 1)

    def with_reuse() -> Any:
        a = myia.asarray(x).copy()
        a = rt.divide(1.0, a, reuse=a)
        a = rt.subtract(a, a, reuse=a)
        return a

    def on_numpy() -> Any:
        a = 1.0 / x
        return a - a

    with np.errstate(all=how):  # type: ignore[call-overload]
        agree(with_reuse, on_numpy)


# -- random programs -------------------------------------------------------------------------------------------

UNARY = ["negative", "exp", "tanh", "square", "absolute", "sqrt"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "fmin", "hypot"]


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Lines that bind v0, v1 and v2 anew, with permissions; and the same without."""
    lines, plain = ["kept = []"], ["kept = []"]
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(UNARY + BINARY))
        operands = [f"v{draw(st.integers(0, 2))}" for _ in range(1 if name in UNARY else 2)]
        target = f"v{draw(st.integers(0, 2))}"
        held = draw(st.sampled_from(["", "", "", "", target, f"{target}[...]", f"np.asarray({target})"]))
        if held:
            lines.append(f"kept.append({held})")
            plain.append(f"kept.append({target})")
        arguments = ", ".join(operands)
        lines.append(f"{target} = f.{name}({arguments}, reuse={target})")
        plain.append(f"{target} = f.{name}({arguments})")
    return lines, plain


def run(lines: list[str], f: Any, make: Callable[[], list[Any]]) -> Any:
    """In one frame, so that reference counts are those of a program."""
    body = "".join(f"    {line}\n" for line in lines)
    namespace: dict[str, Any] = {"np": np}
    exec(f"def program(f, make):\n    v0, v1, v2 = make()\n{body}    return v0, v1, v2, *kept", namespace)  # noqa: S102
    return namespace["program"](f, make)


@given(st.data())
@limited(80)
def test_random_programs(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(5,), (0,), (1,), (3, 4), (200,), (7, 1, 9)]))
    dtype = data.draw(st.sampled_from(FLOATS))
    variables = [data.draw(made(dtypes=[dtype], shape=shape)) for _ in range(3)]
    lines, plain = data.draw(programs())
    with np.errstate(all="ignore"):
        agree(
            lambda: tuple(
                x if isinstance(x, Array) else myia.asarray(x)
                for x in run(lines, rt, lambda: [v.array() for v in variables])
            ),
            lambda: run(plain, np, lambda: [v.numpy() for v in variables]),
        )


def test_arrays_are_released() -> None:
    _runtime.wait_all()
    gc.collect()
    before = _runtime.memory_stats()["blocks"]
    for n in (8, 5000):
        a = own(n)
        for _ in range(30):
            a = rt.tanh(a, reuse=a)
            a = rt.times(a, a, reuse=a)
        assert isinstance(a, Array)
        del a
    _runtime.wait_all()
    assert _runtime.memory_stats()["blocks"] == before
