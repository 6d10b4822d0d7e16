"""Optimisations change no result: every program with all of them, with none, and with all but one."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

from myia import OPTIMISATIONS, grad, value_and_grad
from myia.errors import UnknownArgument
from tests.check import fingerprint, leaves
from tests.programs import PROGRAMS, inplace, inplace_algorithms

ROWS = [
    *PROGRAMS,
    *inplace.PROGRAMS,
    *inplace_algorithms.PROGRAMS,
]
NAMES = tuple(OPTIMISATIONS)
EXACT = tuple(name for name in NAMES if name != "products")
"""Those that do not change the order of a sum."""
NUMBERED = [(row, EXACT[k % len(EXACT)]) for k, row in enumerate(ROWS)]


def run(row: Any, optimise: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            return value_and_grad(row.function, wrt=row.wrt, optimise=optimise)(*row.args, **row.kwargs)


@pytest.mark.parametrize(("row", "left_out"), NUMBERED, ids=[row.name for row in ROWS])
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
