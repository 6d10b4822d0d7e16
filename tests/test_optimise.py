"""Optimisations change no result: every program with all of them, with none, and with all but one."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import myia.runtime as rt
from myia import OPTIMISATIONS, grad, value_and_grad
from myia.errors import UnknownArgument
from tests.check import fingerprint, leaves
from tests.programs import PROGRAMS, inplace, inplace_algorithms, inplace_regressions, some

ROWS = [
    *PROGRAMS,
    *inplace.PROGRAMS,
    *inplace_algorithms.PROGRAMS,
    *inplace_regressions.PROGRAMS,
]
NAMES = tuple(OPTIMISATIONS)
EXACT = tuple(name for name in NAMES if name != "products")
"""Those that do not change the order of a sum."""
NUMBERED = some([(row, EXACT[k // 2 % len(EXACT)]) for k, row in enumerate(ROWS)], 2)


def run(row: Any, optimise: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            return value_and_grad(row.function, wrt=row.wrt, optimise=optimise)(*row.args, **row.kwargs)


@pytest.mark.parametrize(("row", "left_out"), NUMBERED, ids=[row.name for row, _ in NUMBERED])
def test_results_are_the_same_to_the_bit(row: Any, left_out: str):
    plain = run(row, False)
    check_same(run(row, EXACT), plain)
    check_same(run(row, [name for name in EXACT if name != left_out]), plain)
    check_close(run(row, True), plain)


def check_same(found: Any, expected: Any) -> None:
    theirs, ours = list(leaves(expected)), list(leaves(found))
    assert len(ours) == len(theirs)
    for (path, a), (same, b) in zip(ours, theirs, strict=True):
        assert path == same
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert np.shape(a) == np.shape(b)
        assert np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind in "fc")


def check_close(found: Any, expected: Any) -> None:
    """Within rounding: the sums of matrix products may be taken in another order."""
    for (path, a), (same, b) in zip(leaves(found), leaves(expected), strict=True):
        assert path == same
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        if a.dtype.kind not in "fc":
            assert np.array_equal(a, b)
            continue
        with np.errstate(all="ignore"):
            size = np.max(np.abs(b[np.isfinite(b)]), initial=0.0)
            tolerance = 1e3 * np.finfo(a.dtype).eps
            assert np.allclose(a, b, rtol=tolerance, atol=tolerance * size, equal_nan=True)


def chained(x, y):
    a = x * 0.5 + y
    b = np.tanh(a) * a
    return (b * b - y).sum()


@pytest.mark.parametrize("name", NAMES)
def test_each_alone(name):
    args = np.linspace(-1.0, 1.0, 7), np.linspace(0.5, 2.0, 7)
    before = fingerprint(args)
    plain = value_and_grad(chained, wrt=(0, 1), optimise=False)(*args)
    check_same(value_and_grad(chained, wrt=(0, 1), optimise=name)(*args), plain)
    check_same(value_and_grad(chained, wrt=(0, 1), optimise=(name,))(*args), plain)
    assert fingerprint(args) == before


def test_unknown_optimisation():
    with pytest.raises(UnknownArgument, match="'fast' is no optimisation") as caught:
        grad(chained, optimise=["fast"])
    assert "copies" in caught.value.reason


def emitted(function, *args, wrt=0, **options):
    return grad(function, wrt=wrt, **options).source_for(*args)


def test_copies_are_left_out_of_the_reverse_sweep():
    def f(x):
        y = x * 2.0
        return (y * x - x).sum()

    x = np.ones(3)
    copy = re.compile(r"^ +d_\w+ = d_\w+ *(#|$)", re.MULTILINE)
    assert copy.search(emitted(f, x, optimise="shapes"))
    assert not copy.search(emitted(f, x, optimise=("shapes", "copies")))


def test_the_same_operation_is_done_once():
    def f(x):
        y = x * x
        return (y * y).sum()

    lines = emitted(f, np.ones(3), optimise=["copies", "common"]).splitlines()
    assert sum("rt.times(" in line for line in lines) == 2


def test_an_array_written_between_is_computed_again():
    def f(x):
        y = x * 1.0
        a = np.tanh(y)
        y[0] = 2.0
        b = np.tanh(y)
        return (a * b).sum()

    x = np.array([0.3, 0.7])
    value, gradient = value_and_grad(f)(x)
    a = np.tanh(x)
    b = np.tanh([2.0, 0.7])
    assert value == (a * b).sum()
    expected = (1.0 - a * a) * b
    expected[1] *= 2.0
    assert np.allclose(gradient, expected, rtol=1e-14)


def test_contributions_are_added_in_one_pass():
    def f(x):
        y = x * 1.0
        y[0] = 3.0
        return (y * np.tanh(y) * 2.0).sum()

    assert "rt.times_into(" in emitted(f, np.ones(3))
    assert "rt.times_into(" not in emitted(f, np.ones(3), optimise=False)


# -- each pass by what it leaves in the emitted source -------------------------------------------------------


def lines_of(function, *args, wrt=0, **options):
    return emitted(function, *args, wrt=wrt, **options).splitlines()


def peak_of(function, *args, **options):
    """With all work in this thread: then nothing runs ahead, and the peak is always the same."""
    gradient = grad(function, **options)
    gradient(*args)  # compiled, and the pool filled
    workers = rt.workers()
    rt.set_workers(0)
    try:
        before = rt.memory_stats()["live"]
        rt.reset_peak()
        gradient(*args)
        return rt.memory_stats()["peak"] - before
    finally:
        rt.set_workers(workers)


def long_chain(x):
    for_sum = x
    a = np.tanh(x)
    b = np.sin(a)
    c = np.exp(b) * for_sum
    d = np.tanh(c)
    e = np.cos(d)
    return np.sum(e * e)


def sums(x):
    a = x + 1.0
    b = a + x
    c = b + a
    d = c + b
    return np.sum(np.tanh(d))


def test_arrays_are_let_go_of_at_their_last_use():
    x = np.linspace(0.0, 1.0, 200_000)
    names = [name for name in NAMES if name not in ("free", "reuse", "fuse")]
    assert any("; del " in line for line in lines_of(sums, x, optimise=[*names, "free"]))
    assert peak_of(sums, x, optimise=[*names, "free"]) < peak_of(sums, x, optimise=names)


def test_results_take_the_memory_of_dead_operands():
    x = np.linspace(0.0, 1.0, 200_000)
    names = [name for name in NAMES if name not in ("reuse", "fuse")]
    assert "reuse=" in emitted(long_chain, x, optimise=[*names, "reuse"])
    assert "reuse=" not in emitted(long_chain, x, optimise=names)
    assert peak_of(long_chain, x, optimise=[*names, "reuse"]) <= peak_of(long_chain, x, optimise=names)


def test_a_chain_is_one_function_and_needs_less_memory():
    x = np.linspace(0.0, 1.0, 200_000)
    source = emitted(long_chain, x)
    assert source.count("@rt.fused") == 2
    others = [name for name in NAMES if name != "fuse"]
    assert "@rt.fused" not in emitted(long_chain, x, optimise=others)
    assert peak_of(long_chain, x) < peak_of(long_chain, x, optimise=others)


def keeps_its_argument(x, kept):
    y = np.tanh(x)
    kept.append(y)
    z = np.sin(y) * 2.0
    return np.sum(z * kept[0])


def test_what_something_else_holds_is_not_taken():
    x = np.linspace(-1.0, 1.0, 50)
    value, gradient = value_and_grad(keeps_its_argument)(x, [])
    y = np.tanh(x)
    assert value == np.sum(np.sin(y) * 2.0 * y)
    assert np.allclose(gradient, (1 - y * y) * 2.0 * (np.cos(y) * y + np.sin(y)), rtol=1e-13)


def test_what_a_loop_does_not_change_is_computed_once():
    def f(x, w, n):
        for _ in range(n):
            s = 2.0 * w
            x = np.sin(x * s)
        return x.sum()

    lines = lines_of(f, np.ones(3), np.ones(3), 2, optimise=["recompute", "invariant", "copies"])
    loop = next(k for k, line in enumerate(lines) if "for _ in range(n)" in line)
    assert any("rt.multiply(2.0, w)" in line for line in lines[:loop])
    assert not any("s_saved" in line for line in lines)
    check_same(
        grad(f, wrt=(0, 1))(np.ones(3), np.ones(3), 0),
        grad(f, wrt=(0, 1), optimise=False)(np.ones(3), np.ones(3), 0),
    )


def test_a_primal_value_that_nothing_needs_is_not_computed():
    def f(x):
        return np.sum(x * x)

    x = np.ones(3)
    assert not any("rt.sum" in line or "chain" in line for line in lines_of(f, x))
    with_value = value_and_grad(f).source_for(x)
    assert "rt.sum" in with_value


def test_an_error_of_the_program_stays_one():
    def f(x, y):
        z = x + y
        w = x * 2.0
        return np.sum(w)

    with pytest.raises(ValueError, match="broadcast"):
        grad(f)(np.ones(3), np.ones(4))


@pytest.mark.parametrize("value", [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, 1.5])
def test_identities_hold_for_every_float(value):
    def f(x, y):
        a = x * 1.0
        b = 1.0 * a - 0.0
        c = b / 1.0 + (-y)
        d = -(-c)
        return np.sum(d**2 * x)

    x, y = np.array([value, 2.0]), np.array([1.0, value])
    with np.errstate(all="ignore"):
        found = value_and_grad(f, wrt=(0, 1))(x, y)
        plain = value_and_grad(f, wrt=(0, 1), optimise=False)(x, y)
    check_same(found, plain)


def test_elements_that_are_used_up_at_once_are_not_copied():
    def f(u, n):
        u = u.copy()
        for _ in range(n):
            u[1:-1] += 0.1 * u[1:-1] * (u[2:] - u[:-2])
        return np.sum(u)

    u = np.linspace(0.0, 1.0, 6)
    others = [name for name in NAMES if name != "views"]
    assert re.search(r"= d_u_2\[1:-1\]\.copy\(\)", emitted(f, u, 3, optimise=others))
    assert not re.search(r"= d_u_2\[1:-1\]\.copy\(\)", emitted(f, u, 3))


def test_products_are_added_by_blas():
    def f(w, xs):
        total = 0.0
        for x in xs:
            total = total + np.sum(np.tanh(x @ w))
        return total

    w, xs = np.eye(3), np.ones((2, 4, 3))
    assert "rt.matmul_into(d_w, " in emitted(f, w, xs)
    assert "rt.matmul_into(" not in emitted(f, w, xs, optimise=EXACT)
    check_close(grad(f)(w, xs), grad(f, optimise=False)(w, xs))


def test_a_sum_begins_with_its_first_contribution():
    def f(x):
        return np.sum(x * x * x) + x[0]

    others = [name for name in NAMES if name not in ("accumulate", "fuse")]
    x = np.arange(3.0)
    assert "rt.zeros_like(x)" in emitted(f, x, optimise=others)
    check_same(grad(f)(x), grad(f, optimise=False)(x))


def test_only_the_shape_of_what_is_only_asked_for_it_is_kept():
    def f(x, b):
        y = np.floor(x) * b  # only b has an adjoint
        z = y + b
        return np.sum(z)

    source = emitted(f, np.ones((2, 3)), np.ones(3), wrt=(1,), optimise=["recompute"])
    assert "z_form = rt.form(z)" in source
    assert "z_form" not in emitted(f, np.ones((2, 3)), np.ones(3), wrt=(1,), optimise=False)


def layered(blocks, x):
    for w, b, v in blocks:
        x = np.maximum(x @ w + b, 0.0) @ v
    return np.sum(x * x)


def test_what_comes_from_a_stack_is_taken_and_shapes_are_noted_before():
    rng = np.random.default_rng(0)
    blocks = [
        (rng.normal(size=(20, 400)), rng.normal(size=400), rng.normal(size=(400, 20))) for _ in range(4)
    ]
    x = rng.normal(size=(500, 20))
    source = emitted(layered, blocks, x)
    assert "total, maximum = layered_chain_2(product, b, reuse=(product,))" in source
    assert "d_product = rt.sum_to(d_total, product_shape)" in source
    assert "d_maximum = rt.array_dot(d_x, rt.array_transpose(v), reuse=maximum)" in source
    others = [name for name in NAMES if name != "reuse"]
    assert "product_shape = product.shape" not in emitted(layered, blocks, x, optimise=others)
    inner = 8 * 500 * 400
    assert peak_of(layered, blocks, x) < peak_of(layered, blocks, x, optimise=others) - 1.9 * inner
    check_same(grad(layered)(blocks, x), grad(layered, optimise=others)(blocks, x))


def test_the_adjoint_that_is_read_next_is_computed_last():
    def f(w, x):
        h = np.tanh(x)
        return np.sum(h @ w)

    source = emitted(f, np.ones((3, 3)), np.ones((3, 3)), wrt=(0, 1), optimise=False)
    assert source.index("d_w = ") < source.index("d_x = ")
    assert "d_h = " not in source  # written where it is read, the next line


def test_a_copy_of_a_view_is_summed_in_the_order_of_a_new_array():
    def f(x):
        h = x[::-1] * 1.0
        for _ in range(2):
            h = h[::-1] * 1.0
            h = h * h.mean()
        return np.mean(h)

    x = np.random.default_rng(0).normal(size=(40, 300))
    value, gradient = value_and_grad(f)(x)
    assert value == f(x)
    check_same((value, gradient), value_and_grad(f, optimise=False)(x))
