"""Chains: several operations in one pass, with the bits of one after the other."""

from __future__ import annotations

import gc
import inspect
import linecache
import sys
import traceback
import warnings
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia._runtime import Array
from myia.runtime.chains import fused as decorate
from tests.runtime.native.arrays import FLOATS, Made, agree, limited, made, outcome, same, values
from tests.runtime.native.chains import ADJOINTS, INTO, Random, chains, compiled, fused, on_numpy
from tests.runtime.native.test_reuse import HOLDERS, REUSES, address, expect_reuse, failing, own, run, taken

pytestmark = pytest.mark.usefixtures("mode")

F8 = np.dtype("f8")


def native(chain: Any, *args: Any) -> Any:
    """The result of a call that is not left to the plain function. Not for reuse: here a tuple holds the arguments."""
    before = chain.fallbacks
    result = chain(*args)
    assert chain.fallbacks == before, "left to the plain function"
    return result


def plain(chain: Any, *args: Any) -> Any:
    """The result of a call that is left to the plain function."""
    before = chain.fallbacks
    result = chain(*args)
    assert chain.fallbacks == before + 1, "run as a chain"
    return result


def as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


# -- random chains -----------------------------------------------------------------------------------------------

counted = {"native": 0, "plain": 0}


def check(random: Random) -> None:
    """The same as the plain function on Arrays: values, layout, warnings, what was added to; and as NumPy."""
    chain = compiled(random.text)
    assert type(chain) is _runtime.Chain

    def run(function: Any, make: Any) -> Any:
        arguments = random.arguments(make)
        result = function(*arguments)
        targets = [x for x, how in zip(arguments, random.operands, strict=True) if isinstance(how, Made)]
        return (*as_tuple(result), *targets)

    # What is compared with is an ndarray, or a scalar.
    one_by_one = lambda: tuple(_runtime.leave(list(run(chain.__wrapped__, Made.array))))
    # Whether an adjoint computes, and drops, what overflows beside a cotangent of zero depends on its strides.
    settled = not any(f".{name}" in random.text for name in ADJOINTS)
    agree(lambda: run(chain, Made.array), one_by_one, warned=settled)
    counted["plain" if chain.fallbacks else "native"] += 1
    if random.numpy_agrees and not chain.fallbacks:
        with np.errstate(all="ignore"):
            agree(lambda: run(chain, Made.array), lambda: run(on_numpy(chain), Made.numpy))


@given(st.data())
@limited(150)
def test_random_chains(data: st.DataObject) -> None:
    check(data.draw(chains(data.draw(st.sampled_from(FLOATS)))))


@given(st.data())
@limited(80)
def test_random_chains_of_plain_arrays(data: st.DataObject) -> None:
    check(data.draw(chains(data.draw(st.sampled_from(FLOATS)), plain=True)))


@given(st.data())
@limited(80)
def test_random_sums(data: st.DataObject) -> None:
    check(
        data.draw(
            chains(data.draw(st.sampled_from(FLOATS)), most=8, sums=True, plain=data.draw(st.booleans()))
        )
    )


@given(st.data())
@limited(120)
def test_random_additions(data: st.DataObject) -> None:
    check(
        data.draw(
            chains(data.draw(st.sampled_from(FLOATS)), most=10, into=True, sums=data.draw(st.booleans()))
        )
    )


def test_most_of_them_were_native() -> None:
    assert counted["native"] > counted["plain"]


# -- every operation, around the ends of blocks ---------------------------------------------------------------------


SAME_KIND = sorted(
    {
        op.ufunc.__name__: op.ufunc.nin  # type: ignore[attr-defined]
        for op in _runtime.operators.values()
        if ("d" * op.ufunc.nin + "->d") in op.ufunc.types  # type: ignore[attr-defined]
    }.items()
)


@pytest.mark.parametrize(("name", "count"), [*SAME_KIND, *ADJOINTS.items()], ids=lambda x: str(x))
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_operation(name: str, count: int, dtype: Any) -> None:
    """Where a block ends makes no difference to any element, whatever else is in the block."""
    if not hasattr(rt, name):
        pytest.skip("no name of the runtime")
    chain = fused(
        "a, b, c",
        f"x = rt.{name}({', '.join('abc'[:count])})",
        f"y = rt.{name}({', '.join(['x', 'b', 'c'][:count])})",
        "z = rt.add(y, a)",
        "return z, x",
    )
    for n in (1, 3, 63, 64, 65, 2047, 2048, 2049, 5003):
        for offset in (0, 1):
            operands = [values(dtype, n + offset, seed) * 10.0 ** (seed - 1) for seed in range(3)]
            arrays = [myia.asarray(x.astype(dtype))[offset:] for x in operands]
            with np.errstate(all="ignore"):
                if name in ("power", "float_power") and (n == 1 or name == "float_power"):
                    found = chain(*arrays)
                else:
                    found = native(chain, *arrays)
                expected = _runtime.leave(chain.__wrapped__(*arrays))
            for one, other in zip(found, expected, strict=True):
                same(one, other)


def test_powers() -> None:
    """With one exponent for all NumPy squares for 2.0, with several it does not."""
    chain = fused("x, p", "y = rt.power(x, p)", "z = rt.add(y, 1.0)", "return z")
    x = own((40, 7))
    x = rt.absolute(x)
    for p in (2.0, 2, 0.5, -1, np.float64(2.0)):
        same(native(chain, x, p), np.power(np.asarray(x), p) + 1.0)
    for p in (
        own((40, 7)),
        own(7),
        own((40, 1)),
        myia.asarray(np.full((40, 1), 2.0)),
        myia.asarray(np.full(1, 2.0)),
    ):
        same(chain(x, p), _runtime.leave(chain.__wrapped__(x, p)))
    one = rt.absolute(own(1))
    same(plain(chain, one, one), _runtime.leave(chain.__wrapped__(one, one)))


# -- operands ---------------------------------------------------------------------------------------------------------


def three() -> Any:
    return fused("x, g", "a = rt.multiply(x, 0.5)", "b = rt.tanh(a)", "c = rt.times(g, b)", "return b, c")


def check_native(chain: Any, *args: Any) -> Any:
    found = native(chain, *args)
    for one, other in zip(as_tuple(found), as_tuple(_runtime.leave(chain.__wrapped__(*args))), strict=True):
        same(one, other)
    return found


def check_plain(chain: Any, *args: Any) -> None:
    found = plain(chain, *args)
    for one, other in zip(as_tuple(found), as_tuple(_runtime.leave(chain.__wrapped__(*args))), strict=True):
        same(_runtime.leave(one) if not isinstance(other, np.ndarray) else one, other)


@pytest.mark.parametrize("dtype", FLOATS)
def test_layouts(dtype: Any) -> None:
    chain = three()
    wide = own((40, 60), dtype)
    for x in (
        wide, wide.T, wide[::2], wide[:, ::3], wide[::-1, ::-1], wide[5:, 1:], wide[:, 0], wide[3], wide[:0],
        wide.reshape(10, 4, 60), wide.reshape(10, 4, 60).transpose(1, 0, 2), wide.reshape(40, 60, 1),
    ):  # fmt: skip
        if x.size == 0:
            check_plain(chain, x, x)
            continue
        check_native(chain, x, x)
        check_native(chain, x, own(x.shape, dtype, 4))
        if x.ndim > 1:
            check_native(chain, x, own(x.shape[-1:], dtype, 5))
            check_native(chain, x, own((*x.shape[:-1], 1), dtype, 5))
        check_native(chain, x, 2.0)
        check_native(chain, x, 3)
        check_native(chain, x, dtype.type(0.3))


def test_a_bias() -> None:
    chain = fused("p, b", "s = rt.add(p, b)", "y = rt.tanh(s)", "return y")
    for shape in [(200, 30), (3, 5000), (1, 7), (50, 1), (4, 5, 6)]:
        check_native(chain, own(shape), own(shape[-1], seed=1))
        check_native(chain, own(shape), own((shape[0], *[1] * (len(shape) - 1)), seed=2))


def test_shapes_that_meet_in_one_operation() -> None:
    chain = fused("u, v", "p = rt.multiply(u, v)", "q = rt.exp(p)", "return q, p")
    check_native(chain, own((5, 1)), own(7))
    check_native(chain, own((1, 7)), own((5, 1)))
    check_native(chain, own((3, 1, 7)), own((4, 1)))


def test_operations_of_smaller_shape() -> None:
    chain = fused("x, b", "c = rt.multiply(b, 2.0)", "y = rt.add(x, c)", "return y")
    check_native(chain, own((4, 7)), own((4, 7)))
    check_plain(chain, own((4, 7)), own(7))
    check_plain(chain, own((4, 7)), 2.0)
    with pytest.raises(ValueError, match="broadcast"):
        plain(chain, own(3), own(4))
    with pytest.raises(ValueError, match="broadcast"):
        plain(chain, own((3, 2)), own((3, 3)))


def test_numbers_that_arrays_cannot_hold() -> None:
    chain = fused("x, s", "a = rt.multiply(x, s)", "b = rt.add(a, 1.0)", "return b")
    single = own(9, "f4")
    with np.errstate(all="ignore"):
        check_plain(chain, single, 1e300)
        check_native(chain, single, np.inf)
        check_plain(chain, single, np.float64(2.0))
        check_plain(chain, own(9), np.float32(2.0))
        check_plain(chain, single, True)
        check_plain(chain, single, 1j)
        check_native(chain, single, 2**40)
        check_plain(chain, single, 2**70)
    constant = fused("x", "a = rt.multiply(x, 1e300)", "b = rt.add(a, 1.0)", "return b")
    with np.errstate(all="ignore"):
        check_plain(constant, single)
        check_native(constant, own(9))


@pytest.mark.parametrize("dtype", ["f2", "i4", "i8", "c16", "bool"])
def test_other_dtypes(dtype: str) -> None:
    chain = fused("x, y", "a = rt.multiply(x, y)", "b = rt.add(a, x)", "return b")
    x = myia.asarray(np.arange(12).astype(dtype))
    check_plain(chain, x, x)
    check_plain(chain, own(12), x)
    check_plain(chain, x, own(12, "f4"))


def test_other_operands() -> None:
    chain = fused("x, y", "a = rt.multiply(x, y)", "b = rt.add(a, x)", "return b")
    assert plain(chain, 2.0, 3.0) == 8.0
    assert type(plain(chain, 2.0, 3.0)) is np.float64
    objects = np.array([1, 2**70], dtype=object)
    assert plain(chain, objects, 2).tolist() == [3, 3 * 2**70]
    zero = myia.asarray(np.array(2.0))
    assert float(plain(chain, zero, 3.0)) == 8.0
    check_native(chain, own(5), zero)
    assert plain(chain, np.ones(3), [1.0, 2.0, 3.0]).tolist() == [2.0, 3.0, 4.0]
    with pytest.raises(TypeError):
        plain(chain, own(3), None)
    big = np.ones(6).astype(">f8")
    same(plain(chain, own(6), big), np.asarray(own(6)) * 2)


def test_ndarrays_beside_arrays() -> None:
    chain = fused("x, y", "a = rt.multiply(x, y)", "b = rt.add(a, x)", "return b")
    for n in (6, 50_000):
        x, y = own(n), np.random.default_rng(3).normal(size=n)
        expected = np.asarray(x) * y + np.asarray(x)
        found = native(chain, x, y)
        y[:] = 0.0  # the caller's again
        same(found, expected)
        y[:] = 1.0
        found = native(chain, y, x)
        y[:] = 0.0
        same(found, np.asarray(x) + 1.0)
    check_plain(chain, y, y)
    # A backprop of ndarrays alone rounds as its function in Python.
    adjoint = fused("x, g, y", "a = rt.tanh_adjoint(g, y)", "b = rt.add(a, x)", "return b")
    g, y = values(F8, 50, 1, False), values(F8, 50, 2, False)
    check_plain(adjoint, own(50), g, y)
    check_native(adjoint, own(50), myia.asarray(g), y)


def test_calls_that_do_not_fit() -> None:
    chain = three()
    x = own()
    for args, options in [((x,), {}), ((x, x, x), {}), ((x,), {"y": x}), ((x, x), {"out": x})]:
        with pytest.raises(TypeError) as native_error:
            chain(*args, **options)
        with pytest.raises(TypeError) as plain_error:
            chain.__wrapped__(*args, **options)
        assert str(native_error.value) == str(plain_error.value)
    for one, other in zip(chain(x, g=x), chain(x, x), strict=True):
        same(one, np.asarray(other))
    for one, other in zip(chain(x, g=x, reuse=(x,)), chain(x, x), strict=True):
        same(one, np.asarray(other))


# -- results ------------------------------------------------------------------------------------------------------------


def test_forms_of_results() -> None:
    x = own()
    lines = ["a = rt.exp(x)", "b = rt.negative(a)"]
    assert isinstance(fused("x", *lines, "return b")(x), Array)
    assert [type(r) for r in fused("x", *lines, "return (b,)")(x)] == [Array]
    first, second = fused("x", *lines, "return b, a")(x)
    same(first, -np.exp(np.asarray(x)))
    same(second, np.exp(np.asarray(x)))
    d = own()
    assert fused("x, d", "a = rt.exp(x)", "rt.add_into(d, a)")(x, d) is None
    assert fused("x, d", "a = rt.exp(x)", "rt.add_into(d, a)", "return None")(x, d) is None
    assert fused("x, d", "a = rt.exp(x)", "rt.add_into(d, a)", "return ()")(x, d) == ()


def test_only_results_are_in_memory() -> None:
    lines = [
        "v0 = rt.tanh(x)",
        *(f"v{k + 1} = rt.multiply(v{k}, v{k // 2})" for k in range(20)),
        "return v20",
    ]
    chain = fused("x", *lines)
    x = own(200_000)
    x.wait()
    _runtime.wait_all()
    _runtime.reset_peak()
    before = _runtime.memory_stats()
    y = native(chain, x)
    y.wait()
    _runtime.wait_all()
    after = _runtime.memory_stats()
    assert after["peak"] - before["live"] < 1.1 * 1_600_000
    assert after["blocks"] - before["blocks"] <= 2
    assert isinstance(y, Array)


def test_the_longest() -> None:
    """As many values at a time as there are operations."""
    for count in (24, 32):
        half = count // 2
        lines = [f"v{k} = rt.add(x, {k}.5)" for k in range(half)]
        lines.append(f"w{half - 1} = rt.sqrt(v{half - 1})")
        lines += [f"w{k} = rt.maximum(w{k + 1}, v{k})" for k in range(half - 2, -1, -1)]
        chain = fused("x", *lines, "return w0")
        check_native(chain, own(3000))
        check_native(chain, own((60, 50)).T)


# -- what is read -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["y = x * 2.0", "return y"],
        ["y = rt.exp(x)", "y = rt.exp(y)", "return y"],
        ["x = rt.exp(x)", "return x"],
        ["y = rt.exp(x)", "return x"],
        ["y = rt.exp(x)", "return y, y"],
        ["y = rt.exp(rt.exp(x))", "return y"],
        ["y = rt.exp(x, out=x)", "return y"],
        ["y = rt.exp(z)", "return y"],
        ["y = rt.exp(x)", "if True: return y", "return x"],
        ["y = rt.matmul(x, x)", "return y"],
        ["y = rt.add(x, 'a')", "return y"],
        ["y = rt.add(x, True)", "return y"],
        ["y = rt.add(x)", "return y"],
        ["y = rt.sum(x)", "return y"],
        ["y = rt.exp(x)", "s = rt.sum(y)", "z = rt.add(y, s)", "return z"],
        ["y = rt.exp(x)", "s = rt.sum(y, 0)", "return s"],
        ["y = rt.exp(x)", "rt.add_into(y, x)", "return y"],
        ["y = rt.add_into(x, x)", "z = rt.exp(y)", "return z"],
        ["y = rt.no_such_name(x)", "return y"],
        ["y = other.exp(x)", "return y"],
        ["y: float = rt.exp(x)", "return y"],
        ["return x"],
        ["pass"],
        [*(f"y{k} = rt.exp({f'y{k - 1}' if k else 'x'})" for k in range(33)), "return y32"],
    ],
)
def test_other_functions_stay_as_they_are(lines: list[str]) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    made = compiled(f"@rt.fused\ndef chain(x):\n{body}")
    assert type(made) is type(test_other_functions_stay_as_they_are)


@pytest.mark.parametrize("parameters", ["x, y=1.0", "*x", "x, **y", "x, *, y"])
def test_other_parameters(parameters: str) -> None:
    made = compiled(f"@rt.fused\ndef chain({parameters}):\n    z = rt.exp(x)\n    return z\n")
    assert type(made) is not _runtime.Chain


def test_functions_in_functions() -> None:
    @rt.fused
    def local(x, g):  # type: ignore[no-untyped-def]
        """What it is."""
        a = rt.negative(x)  # a comment
        b = rt.times(
            g,
            a,
        )

        return b

    assert type(local) is _runtime.Chain
    check_native(local, own(), own())
    factor = 2.0

    @rt.fused
    def closure(x):  # type: ignore[no-untyped-def]
        return rt.multiply(x, factor)

    assert type(closure) is not _runtime.Chain
    assert type(rt.fused(lambda x: rt.exp(x))) is not _runtime.Chain
    assert rt.fused(np.exp) is np.exp


def test_lines_that_were_changed_since() -> None:
    text = "def chain(x):\n    y = rt.exp(x)\n    return y\n"
    function = compiled(text)
    assert type(rt.fused(function)) is _runtime.Chain
    for other in ("rt.log(x)", "rt.multiply(x, 2.0)"):
        changed = text.replace("rt.exp(x)", other)
        linecache.cache[function.__code__.co_filename] = (1, None, changed.splitlines(True), "")
        assert rt.fused(function) is function
    number = compiled("def chain(x):\n    y = rt.multiply(x, 0.0)\n    return y\n")
    lines = "def chain(x):\n    y = rt.multiply(x, -0.0)\n    return y\n".splitlines(True)
    linecache.cache[number.__code__.co_filename] = (1, None, lines, "")
    assert rt.fused(number) is number


def test_constants_are_what_they_look_like() -> None:
    chain = fused(
        "x", "a = rt.multiply(x, 0.0)", "b = rt.multiply(x, -0.0)", "c = rt.add(x, -2)", "return a, b, c"
    )
    x = rt.absolute(own(9))
    assert not np.signbit(np.asarray(chain(x)[0])).any()
    assert np.signbit(np.asarray(chain(x)[1])).all()
    check_native(chain, x)


def test_what_a_chain_tells() -> None:
    chain = compiled('@rt.fused\ndef chain(x):\n    """Elementwise."""\n    y = rt.exp(x)\n    return y\n')
    assert chain.__name__ == "chain"
    assert chain.__doc__ == "Elementwise."
    assert repr(chain) == "<chain chain>"
    assert inspect.unwrap(chain) is chain.__wrapped__
    assert list(inspect.signature(chain).parameters) == ["x"]
    assert chain.__module__ == "chains"
    assert chain.__code__ is chain.__wrapped__.__code__
    assert not hasattr(chain, "no_such_attribute")


def test_descriptions_that_make_no_sense() -> None:
    def function(x: Any) -> Any:
        return x

    exp, add = rt.exp, rt.add
    for description in [
        (1, (), ((exp, 1),), 1), (1, (), ((exp, 0),), 2), (1, (), ((exp, 0),), 0), (1, (), ((exp,),), 1),
        (1, (), (), None), (1, (), ((add, 0),), 1), (1, (), ((exp, 0), (None, 1), (exp, 0)), 1), (-1, (), ((exp, 0),), 1),
        (1, ("a",), ((exp, 0),), 2), (1, (), ((exp, 0), (None, 1, 1)), 1), (1, (), ((exp, 0), (None, 0)), 1),
        (1, (), ((exp, -1),), 1), (1, (), ((exp, 0.5),), 1), (1, (), ((exp, 0),), (1, 1)), (70, (), ((exp, 0),), 70),
        (1, (), ((rt.add_into, 0, 0), (exp, 1)), 2), (1, (), ((exp, 0), (rt.add_into, 1, 0)), 1),
        (1, (), ((exp, 0), (None, 1)), 3), (1, (), ((rt.add_into, 0, 0),), 1),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match="a chain has"):
            _runtime.Chain(function, *description)
    with pytest.raises(TypeError, match="no elementwise operation"):
        _runtime.Chain(function, 1, (), ((rt.sum, 0),), 1)
    with pytest.raises(TypeError):
        _runtime.Chain(function)  # type: ignore[call-arg]


def test_chains_are_collected() -> None:
    chain = three()
    chain(own(), own())
    function = weakref.ref(chain.__wrapped__)
    chain.__wrapped__.__globals__.clear()
    del chain
    gc.collect()
    assert function() is None


# -- sums -----------------------------------------------------------------------------------------------------------------


def summing() -> Any:
    return fused(
        "x, y", "a = rt.multiply(x, 0.3)", "b = rt.add(a, y)", "total = rt.sum(b)", "return total, b"
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_of_every_size(dtype: Any) -> None:
    alone = fused("x, y", "a = rt.multiply(x, 0.3)", "b = rt.add(a, y)", "total = rt.sum(b)", "return total")
    both = summing()
    x, y = own(2101, dtype), own(2101, dtype, 1)
    b = np.asarray(x) * dtype.type(0.3) + np.asarray(y)
    for n in range(2101):
        total = alone(x[:n], y[:n])
        same(total, b[:n].sum())
        if n % 7 == 0:
            total, value = both(x[:n], y[:n])
            same(total, b[:n].sum())
            same(value, b[:n])
    assert alone.fallbacks == 1  # of no elements


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [4096, 4097, 10_000, 65_537, 300_001, 1_234_567])
def test_large_sums(dtype: Any, n: int) -> None:
    chain = summing()
    x, y = own(n, dtype), own(n, dtype, 1)
    b = np.asarray(x) * dtype.type(0.3) + np.asarray(y)
    total, value = native(chain, x, y)
    same(total, b.sum())
    same(value, b)


def test_sums_of_other_layouts() -> None:
    chain = summing()
    wide = own((31, 77))
    for x, y in [
        (wide, own((31, 77), seed=1)), (wide.T, own((31, 77), seed=1).T), (wide[::2], own((16, 77), seed=1)),
        (wide, own(77, seed=1)), (wide[:, 3], own(31, seed=1)), (wide, 2.0), (wide.T, own((77, 31), seed=1)),
    ]:  # fmt: skip
        check_native(chain, x, y)


def test_sums_of_zeros_and_infinities() -> None:
    chain = fused("x", "a = rt.negative(x)", "total = rt.sum(a)", "return total")
    with np.errstate(all="ignore"):
        for x in (
            np.zeros(5),
            -np.zeros(5),
            np.zeros(400),
            np.full(7, np.inf),
            np.array([np.inf, -np.inf]),
            np.full(300, np.nan),
        ):
            same(native(chain, myia.asarray(x)), (-x).sum())


def test_sums_of_what_depends_on_its_place() -> None:
    """NumPy's fmax of two zeros is the one in the body of a vector, the other in its tail."""
    chain = fused("x, y", "a = rt.fmax(x, y)", "b = rt.reciprocal(a)", "total = rt.sum(b)", "return total, a")
    choice = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for n in (7, 64, 100, 3000, 9001):
            x, y = (myia.asarray(choice.choice([0.0, -0.0, 1.0], n)) for _ in range(2))
            check_native(chain, x, y)
            check_native(chain, x[1:], y[1:])


# -- additions to an adjoint ---------------------------------------------------------------------------------------------------


def adding(name: str = "times_into") -> Any:
    operands = ", ".join(["a", "g", "x"][: INTO[name]])
    return fused(
        "x, g, d", "a = rt.multiply(x, 2.0)", f"rt.{name}(d, {operands})", "b = rt.tanh(a)", "return b"
    )


@pytest.mark.parametrize("name", INTO)
@pytest.mark.parametrize("n", [5, 3000])
def test_every_addition(name: str, n: int) -> None:
    chain = adding(name)
    x, g = own(n), own(n, seed=1)
    d, e = own(n, seed=2), own(n, seed=2)
    found = native(chain, x, g, d)
    expected = chain.__wrapped__(x, g, e)
    same(found, np.asarray(expected))
    same(d, np.asarray(e))


VIEWS = {
    "itself": lambda w: w[0],
    "row": lambda w: w[1],
    "column": lambda w: w[:, 1][:8],
    "steps": lambda w: w[2, ::2],
    "backwards": lambda w: w[3][::-1],
}


@pytest.mark.parametrize("where", VIEWS)
def test_additions_to_views(where: str) -> None:
    """As of a shadow: the target lies anywhere, and the rest of the memory stays as it is."""
    chain = adding()
    one, other = own((16, 16)), own((16, 16))
    d, e = VIEWS[where](one), VIEWS[where](other)
    x, g = own(d.shape, seed=3), own(d.shape, seed=4)
    same(native(chain, x, g, d), np.asarray(chain.__wrapped__(x, g, e)))
    same(one, np.asarray(other))


def both_ways(chain: Any, make: Any) -> tuple[Any, Any]:
    """The arguments' memory after the chain, and after the plain function."""
    after = []
    for function in (chain, chain.__wrapped__):
        memory, arguments = make()
        found = function(*arguments)
        _runtime.wait_all()
        after.append((np.asarray(memory).copy(), [np.asarray(r).copy() for r in as_tuple(found)]))
    for one, other in zip(after[0][1], after[1][1], strict=True):
        same(one, other)
    same(after[0][0], after[1][0])
    return after[0], after[1]


@pytest.mark.parametrize(
    ("fits", "arguments"),
    [
        (True, lambda w: (w[0], w[1], w[2])),
        (True, lambda w: (w[0], w[1], w[0])),  # the very same view
        (True, lambda w: (w[0], w[0], w[0])),
        (True, lambda w: (w[0, 1:], w[1, 1:], w[0, 1:])),
        (False, lambda w: (w[0, 1:], w[1, 1:], w[0, :-1])),
        (False, lambda w: (w[0], w[1], w[0][::-1])),
        (False, lambda w: (w[0:1], w[1:2], w[0:2])),
        (False, lambda w: (w.reshape(-1)[3:11], w[3, :8], w.reshape(-1)[:8])),
        (False, lambda w: (w, w.T, w)),
    ],
)
def test_targets_that_overlap_operands(fits: bool, arguments: Any) -> None:
    chain = adding()

    def make() -> tuple[Any, Any]:
        memory = own((16, 16))
        return memory, arguments(memory)

    both_ways(chain, make)
    # Views of one storage meet, as far as anybody looks, unless they are the same.
    shared = arguments(own((16, 16)))
    apart = all(
        x is shared[2] or _runtime.leave(x).tobytes() == _runtime.leave(shared[2]).tobytes()
        for x in shared[:2]
    )
    assert (chain.fallbacks == 0) is (fits and apart)


def test_several_targets() -> None:
    chain = fused(
        "x, d, e", "a = rt.exp(x)", "rt.add_into(d, a)", "rt.multiply_add(e, a, d)", "rt.subtract_into(d, a)"
    )
    for arguments, fits in [
        (lambda: (own(9), own(9, seed=1), own(9, seed=2)), True),
        (lambda: (own(9), *[own(9, seed=1)] * 2), True),
        (lambda: (own(9), *(lambda w: (w[:9], w[1:]))(own(10))), False),
    ]:
        first, second = arguments(), arguments()
        before = chain.fallbacks
        chain(*first)
        assert (chain.fallbacks == before) is fits
        chain.__wrapped__(*second)
        for one, other in zip(first, second, strict=True):
            same(one, np.asarray(other))


def test_targets_that_do_not_fit() -> None:
    chain = adding()
    x, g = own(6), own(6, seed=1)
    before = chain.fallbacks
    frozen = np.ones(6)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        chain(x, g, myia.asarray(frozen))
    d = np.ones(6)
    chain(x, g, d)
    same(d, 1.0 + 2.0 * np.asarray(x) * np.asarray(g))
    wide = own((3, 6))
    chain(x, g, wide)
    windows = _runtime.Shadows().of(np.broadcast_to(np.ones(1), (6,)))
    chain(x, g, windows)
    single = own(6, "f4")
    chain(x, g, single)
    assert chain.fallbacks == before + 5
    with pytest.raises(ValueError, match="broadcast"):
        chain(x, g, own(1))


def test_marked_targets() -> None:
    chain = adding()
    x, d = own(6), own(6, seed=2)
    enforced = _runtime.enforces_marks()
    _runtime.set_enforce_marks(True)
    d.mark_read()
    try:
        with pytest.raises(RuntimeError, match="pending backprop"):
            chain(x, x, d)
    finally:
        d.unmark_read()
        _runtime.set_enforce_marks(enforced)
    native(chain, x, x, d)


def test_memory_of_the_user_is_added_to() -> None:
    memory = np.arange(20.0)
    chain = adding()
    x = own(5)
    native(chain, x, x, myia.asarray(memory)[::4])
    _runtime.wait_all()
    expected = np.arange(20.0)
    expected[::4] += 2.0 * np.asarray(x) * np.asarray(x)
    same(myia.asarray(memory), expected)


# -- reuse ---------------------------------------------------------------------------------------------------------------------


def simple() -> Any:
    return fused("x, y", "a = rt.multiply(x, 0.5)", "b = rt.add(a, y)", "c = rt.tanh(b)", "return c")


@pytest.mark.parametrize("n", [8, 3000, 40_000])
def test_reuse(n: int) -> None:
    chain = simple()
    a, y = own(n), own(n, seed=1)
    expected, where = np.asarray(chain(a, y)), address(a)
    a = chain(a, y, reuse=(a,))
    expect_reuse(where, a)
    same(a, expected)
    where, expected = address(a), np.asarray(chain(y, a))
    a = chain(y, a, reuse=(a,))
    expect_reuse(where, a)
    same(a, expected)
    where, expected = address(a), np.asarray(chain(a, a))
    a = chain(a, a, reuse=(a,))
    expect_reuse(where, a)
    same(a, expected)
    where = address(a)
    a = chain(y, y, reuse=a)  # one alone needs no tuple, and need not be an operand
    expect_reuse(where, a)


@pytest.mark.parametrize("n", [8, 40_000])
def test_which_result_takes_which_operand(n: int) -> None:
    chain = fused("x, y", "a = rt.multiply(x, y)", "b = rt.add(a, y)", "c = rt.tanh(b)", "return c, b, a")
    x, y = own(n), own(n, seed=1)
    expected = _runtime.leave(chain.__wrapped__(x, y))
    places = {"x": address(x), "y": address(y)}
    c, b, a = chain(x, y, reuse=(y, x))
    for one, other in zip((c, b, a), expected, strict=True):
        same(one, other)
    if REUSES:
        # c is the first to choose, and nothing needs y any more when it is written; then b.
        assert address(c) == places["y"]
        assert address(b) == places["x"]
    x, y = own(n), own(n, seed=1)
    places = {"x": address(x), "y": address(y)}
    first = fused(
        "x, y", "a = rt.multiply(x, 0.5)", "b = rt.add(a, y)", "c = rt.multiply(b, x)", "return a, c"
    )
    expected = _runtime.leave(first.__wrapped__(x, y))
    a, c = first(x, y, reuse=(x, y))
    for one, other in zip((a, c), expected, strict=True):
        same(one, other)
    if REUSES:
        # a must not take x, which c reads after it is there, nor y; so c may take either, and takes the first.
        assert address(a) not in places.values()
        assert address(c) == places["x"]


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("n", [8, 40_000])
def test_nobody_else_sees_a_chains_operand(hold: Any, n: int) -> None:
    chain = simple()
    x, y = own(n), own(n, seed=1)
    before, where = np.asarray(x).copy(), address(x)
    held = hold(x)
    b = chain(x, y, reuse=(x,))
    assert not taken(where, b), "written over what something else holds"
    same(x, before)
    del held
    gc.collect()
    x = chain(x, y, reuse=(x,))
    expect_reuse(where, x)
    same(x, np.asarray(b))


def test_a_tuple_that_is_kept() -> None:
    chain = simple()
    x, y = own(), own(seed=1)
    where = address(x)
    dead = (x,)
    assert not taken(where, chain(x, y, reuse=dead))
    del dead
    assert not taken(where, chain(*(x, y), **{"reuse": (x,)}))
    x = chain(x, y, reuse=(x,))
    expect_reuse(where, x)


def test_only_memory_that_fits_a_result() -> None:
    chain = simple()
    wide, row = own((5, 8)), own(8, seed=1)
    where = address(row)
    found = chain(wide, row, reuse=(row,))
    assert not taken(where, found)
    where = address(wide)
    wide = chain(wide, row, reuse=(row, wide))
    expect_reuse(where, wide)
    mine = np.ones(8)
    found = chain(myia.asarray(mine), row, reuse=(mine,))
    assert (mine == 1.0).all()
    transposed = own((5, 8)).T
    where = address(transposed)
    assert not taken(where, chain(own((8, 5)), transposed, reuse=(transposed,)))
    numbers = (2.0, None, "a")
    same(chain(row, 2.0, reuse=(*numbers,)), np.asarray(chain(row, 2.0)))


def test_targets_are_not_reused() -> None:
    chain = adding()
    x, g, d, e = own(9), own(9, seed=1), own(9, seed=2), own(9, seed=2)
    expected = np.asarray(chain.__wrapped__(x, g, e))
    where = address(d)
    b = chain(x, g, d, reuse=(d,))
    assert not taken(where, b)
    same(b, expected)
    same(d, np.asarray(e))


def test_reuse_beside_a_sum() -> None:
    chain = summing()
    x, y = own(5000), own(5000, seed=1)
    expected, where = _runtime.leave(chain.__wrapped__(x, y)), address(x)
    total, x = chain(x, y, reuse=(x,))
    expect_reuse(where, x)
    same(total, expected[0])
    same(x, expected[1])


def test_no_new_memory_with_reuse() -> None:
    chain = simple()
    x, y = own(100_000), own(100_000, seed=1)
    _runtime.wait_all()
    blocks = _runtime.memory_stats()["blocks"]
    for _ in range(10):
        x = chain(x, y, reuse=(x,))
    x.wait()
    _runtime.wait_all()
    if REUSES:
        assert _runtime.memory_stats()["blocks"] == blocks


def test_reuse_is_ignored_by_the_plain_function() -> None:
    chain = simple()
    x, y = own(8), own(8, "f4", 1)
    before = np.asarray(x).copy()
    same(chain(x, y, reuse=(x,)), np.asarray(chain.__wrapped__(x, y)))
    same(x, before)
    assert chain(1.0, 2.0, reuse=()) == np.tanh(2.5)


PAIR = fused("x, y", "a = rt.multiply(x, y)", "b = rt.subtract(a, x)", "c = rt.tanh(b)", "return b, c")
ONE = fused("x, y", "a = rt.maximum(x, y)", "b = rt.exp(a)", "c = rt.divide(b, x)", "return c")


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Lines that bind v0, v1 and v2 anew by chains, with permissions; and the same without."""
    lines, plain_lines = ["kept = []"], ["kept = []"]
    for _ in range(draw(st.integers(1, 8))):
        x, y = (f"v{draw(st.integers(0, 2))}" for _ in range(2))
        order = draw(st.permutations([f"v{k}" for k in range(3)]))
        name, bound = draw(st.sampled_from([("one", 1), ("pair", 2)]))
        targets = order[:bound]
        held = draw(
            st.sampled_from(["", "", "", targets[0], f"{targets[-1]}[...]", f"np.asarray({targets[0]})"])
        )
        if held:
            lines.append(f"kept.append({held})")
            plain_lines.append(f"kept.append({held})")
        dead = draw(st.permutations(targets))
        lines.append(f"{', '.join(targets)} = f.{name}({x}, {y}, reuse=({', '.join(dead)},))")
        plain_lines.append(f"{', '.join(targets)} = f.{name}({x}, {y})")
    return lines, plain_lines


@given(st.data())
@limited(80)
def test_random_programs_with_reuse(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(5,), (1,), (3, 4), (200,), (7, 1, 9)]))
    dtype = data.draw(st.sampled_from(FLOATS))
    variables = [data.draw(made(dtypes=[dtype], shape=shape)) for _ in range(3)]
    lines, plain_lines = data.draw(programs())
    ours = SimpleNamespace(one=ONE, pair=PAIR)
    numpys = SimpleNamespace(one=on_numpy(ONE), pair=on_numpy(PAIR))
    with np.errstate(all="ignore"):
        agree(
            lambda: tuple(map(myia.asarray, run(lines, ours, lambda: [v.array() for v in variables]))),
            lambda: run(plain_lines, numpys, lambda: [v.numpy() for v in variables]),
        )


# -- pending work ----------------------------------------------------------------------------------------------------------------


def test_pending_operands() -> None:
    big = own((500, 500))
    chain = three()
    for n in (5, 500):
        x = (big @ big)[0, :n]
        g = own(n, seed=1)
        found = native(chain, x, g)
        for one, other in zip(found, _runtime.leave(chain.__wrapped__(x, g)), strict=True):
            same(one, other)


def test_pending_targets_and_readers() -> None:
    big = own((700, 700))
    chain = adding()
    x, g, d, e = own(20), own(20, seed=1), own(20, seed=2), own(20, seed=2)
    before = np.asarray(d).copy()
    gate = (big @ big)[0, 0:1]
    late = rt.add(d, gate)  # reads d, and cannot run yet
    native(chain, x, g, d)
    chain.__wrapped__(x, g, e)
    same(late, before + np.asarray(gate))
    same(d, np.asarray(e))


def test_a_pending_reader_of_what_is_reused() -> None:
    big = own((700, 700))
    chain = simple()
    for n in (8, 200_000):
        x, y = own(n), own(n, seed=1)
        before, expected = np.asarray(x).copy(), np.asarray(chain(x, y))
        gate = (big @ big)[0, 0:1]
        late = rt.add(x, gate)
        x = chain(x, y, reuse=(x,))
        same(late, before + np.asarray(gate))
        same(x, expected)


def test_operands_that_fail(mode: str) -> None:
    if mode == "inline":
        pytest.skip("the failure comes at once")
    chain, good = three(), own(20)
    for one in native(chain, failing(20), good):
        with pytest.raises(IndexError, match="out of bounds"):
            one.wait()
    d = own(20)
    adding()(failing(20), good, d)
    with pytest.raises(IndexError, match="out of bounds"):
        np.asarray(d)
    with pytest.raises(IndexError, match="out of bounds"):
        summing()(failing(20), good)
    _runtime.wait_all()


# -- the error state ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 40_000])
def test_an_error_names_its_line(n: int) -> None:
    chain = fused("x", "a = rt.exp(x)", "b = rt.divide(1.0, x)", "c = rt.add(a, b)", "return c")
    x = myia.asarray(np.linspace(-1.0, 1.0, n + 1)).copy()
    before = np.asarray(x).copy()
    with (
        np.errstate(divide="raise"),
        pytest.raises(FloatingPointError, match="divide by zero encountered in divide") as e,
    ):
        x = chain(x, reuse=(x,))
    frames = traceback.extract_tb(e.value.__traceback__)
    assert frames[-1].line == "b = rt.divide(1.0, x)"
    same(x, before)


@pytest.mark.parametrize("n", [20, 40_000])
def test_a_warning_comes_once(n: int) -> None:
    chain = fused("x", "a = rt.divide(1.0, x)", "b = rt.divide(2.0, x)", "c = rt.subtract(a, b)", "return c")
    x = myia.asarray(np.linspace(-1.0, 1.0, n + 1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        native(chain, x).wait()
        _runtime.wait_all()
    words = sorted(str(w.message) for w in caught)
    assert words == ["divide by zero encountered in chain", "invalid value encountered in chain"]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        native(chain, x).wait()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero encountered in chain"):
            chain(x).wait()
        _runtime.wait_all()


def test_what_a_cotangent_of_zero_meets_is_quiet() -> None:
    inf, zero = myia.asarray(np.full(40, np.inf)), myia.asarray(np.zeros(40))
    quiet = fused("g, x", "a = rt.times(g, x)", "b = rt.quotient(a, g)", "return b")
    both = fused("g, x", "a = rt.subtract(x, x)", "b = rt.times(g, x)", "c = rt.divide(b, g)", "return b")
    for chain, words in ((quiet, set()), (both, {"invalid value encountered"})):
        made = outcome(lambda: native(chain, zero, inf))
        assert made.error is None
        assert {text for _, text in made.warned} == words


@pytest.mark.parametrize("how", ["print", "call", "log"])
def test_other_error_states(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    chain = fused("x", "a = rt.divide(1.0, x)", "b = rt.divide(2.0, x)", "return a, b")
    called: list[Any] = []

    class Log:
        def __call__(self, *what: Any) -> None:
            called.append(what)

        def write(self, text: str) -> None:
            called.append(text)

    zeros = myia.asarray(np.zeros(5))
    with np.errstate(all=how, call=Log()):  # type: ignore[call-overload]
        chain(zeros)
    assert len(called) == (0 if how == "print" else 2)
    assert capfd.readouterr().err.count("divide by zero") == (2 if how == "print" else 0)


def test_the_trace_and_profile_name_chains() -> None:
    limit = _runtime.inline_limit()
    _runtime.set_inline_limit(0)
    chain = three()
    chain(own(), own())
    _runtime.wait_all()
    _runtime.start_trace()
    chain(own(), own())
    _runtime.wait_all()
    names = {row[0] for row in _runtime.stop_trace()}
    _runtime.set_inline_limit(limit)
    assert "chain" in names


def test_decorator_is_the_runtimes() -> None:
    assert rt.fused is decorate
    assert sys.modules["myia.runtime"].fused is decorate
