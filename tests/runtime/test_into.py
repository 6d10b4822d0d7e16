"""Adding in place gives what adding a new contribution gives."""

import numpy as np
import pytest

import myia
from myia import runtime as rt
from myia.runtime import into

RNG = np.random.default_rng(0)
CASES = {
    "add_into": (1, lambda out, a: out + a),
    "subtract_into": (1, lambda out, a: out - a),
    "multiply_add": (2, lambda out, a, b: out + a * b),
    "multiply_subtract": (2, lambda out, a, b: out - a * b),
    "times_into": (2, lambda out, g, f: out + np.where(g == 0, 0, g * f)),
    "quotient_into": (2, lambda out, g, x: out + np.where(g == 0, 0, g / np.where(x == 0, 1, x))),
    "tanh_adjoint_into": (2, lambda out, g, y: out + np.where(g == 0, 0, g * (1 - y * y))),
    "maximum_adjoint_into": (3, lambda out, g, x, o: out + g * ((x > o) + 0.5 * (x == o))),
    "minimum_adjoint_into": (3, lambda out, g, x, o: out + g * ((x < o) + 0.5 * (x == o))),
    "fmax_adjoint_into": (3, lambda out, g, x, o: out + g * ((x > o) + 0.5 * (x == o))),
    "fmin_adjoint_into": (3, lambda out, g, x, o: out + g * ((x < o) + 0.5 * (x == o))),
}


def test_every_one_is_here():
    assert set(CASES) == set(into.__all__)


def values(shape, dtype):
    return RNG.integers(-3, 4, size=shape).astype(dtype) / 2


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("native", [True, False], ids=["Array", "ndarray"])
@pytest.mark.parametrize("name", CASES)
def test_in_place(name, native, dtype):
    count, expected = CASES[name]
    for shape in [(5,), (3, 4), (0,), (2, 1, 3)]:
        out = values(shape, dtype)
        operands = [values(shape, dtype) for _ in range(count)]
        if name == "quotient_into":
            operands[0][operands[1] == 0] = 0
        wanted = expected(out, *operands)
        wrap = myia.asarray if native else np.asarray
        target = wrap(out.copy())
        given = [wrap(x) for x in operands]
        assert getattr(rt, name)(target, *given) is target
        assert target.dtype == dtype
        assert np.allclose(np.asarray(target), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_other_dtypes_and_broadcast_operands(name):
    count, expected = CASES[name]
    out = values((3, 4), "f8")
    operands = [values((3, 4), "f4"), *(values((4,), "f8") for _ in range(count - 1))]
    if name == "quotient_into":
        operands[1][operands[1] == 0] = 1.0
    target = myia.asarray(out.copy())
    assert getattr(rt, name)(target, *map(myia.asarray, operands)) is target
    assert np.allclose(np.asarray(target), expected(out, *operands), rtol=1e-6)


def test_a_read_only_array_stays_as_it_is():
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        rt.add_into(myia.asarray(frozen), myia.asarray(np.ones(3)))
    assert np.array_equal(frozen, np.ones(3))
