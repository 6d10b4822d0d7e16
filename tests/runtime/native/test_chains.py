"""Chains: several operations in one pass, with the bits of one after the other."""

from __future__ import annotations

import gc
import inspect
import linecache
import sys
import traceback
import warnings
import weakref
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
from tests.runtime.native.arrays import FLOATS, Made, agree, limited, outcome, same, values
from tests.runtime.native.chains import ADJOINTS, INTO, Random, chains, compiled, fused, on_numpy
from tests.runtime.native.test_reuse import HOLDERS, REUSES, address, expect_reuse, failing, own, taken

pytestmark = pytest.mark.usefixtures("mode")

F8 = np.dtype("f8")


def native(chain: Any, *args: Any, **reuse: Any) -> Any:
    """The result of a call that is not left to the plain function."""
    before = chain.fallbacks
    result = chain(*args, **reuse)
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
    agree(lambda: run(chain, Made.array), one_by_one)
    counted["plain" if chain.fallbacks else "native"] += 1
    if random.numpy_agrees:
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
    check(data.draw(chains(data.draw(st.sampled_from(FLOATS)), most=8, sums=True, plain=data.draw(st.booleans()))))


@given(st.data())
@limited(120)
def test_random_additions(data: st.DataObject) -> None:
    check(data.draw(chains(data.draw(st.sampled_from(FLOATS)), most=10, into=True, sums=data.draw(st.booleans()))))


def test_most_of_them_were_native() -> None:
    assert counted["native"] > counted["plain"]
