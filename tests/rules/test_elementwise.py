"""Arithmetic, elementwise functions, `math`: the rules against oracles, and the conventions."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import myia.runtime as rt
from myia.adjoint.rules import arith, elementwise, scalar_math
from myia.adjoint.template import INACTIVE, RULES, SCALAR_RULES, Rule, run_template
from myia.errors import NotDifferentiable
from tests.rules.cases import Case, case, check, check_rule, uncovered
from tests.rules.elementwise_cases import BINARY, CASES, UNARY, X

inf, nan = math.inf, math.nan


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_oracles(case: Case) -> None:
    check(case)


def test_every_rule_has_a_case() -> None:
    assert uncovered([arith, elementwise, scalar_math], CASES) == []


# -- the checker finds a planted error ---------------------------------------------------------


def planted_factor(y: Any, x: Any, /) -> None:
    d[x] += d[y] * (1.0 - 0.99999 * y * y)  # noqa: F821


def planted_shape(y: Any, x1: Any, x2: Any, /) -> None:
    d[x1] += d[y] * x2  # noqa: F821
    d[x2] += d[y] * x1  # noqa: F821


def planted_dtype(y: Any, x: Any, /) -> None:
    d[x] += d[y] * np.float64(2.0) * x  # noqa: F821


def test_a_wrong_factor_is_caught() -> None:
    with pytest.raises(AssertionError, match="differences give"):
        check_rule(Rule(planted_factor, True, "example"), case(np.tanh, X))


def test_a_missing_unbroadcast_is_caught() -> None:
    with pytest.raises(AssertionError, match="has shape"):
        check_rule(Rule(planted_shape, False, "example"), case(np.multiply, X, np.ones(3)))


def test_a_wrong_dtype_is_caught() -> None:
    with pytest.raises(AssertionError, match="has dtype"):
        check_rule(Rule(planted_dtype, True, "example"), case(np.square, X.astype(np.float32)))


# -- shapes, strides, dtypes ----------------------------------------------------------------------

LAYOUTS = ["plain", "transposed", "reversed", "strided", "broadcast"]


def laid_out(x: Any, layout: str) -> Any:
    """The same shape in another layout of memory; "broadcast" repeats the first element along axis 0."""
    if layout == "transposed":
        return np.ascontiguousarray(x.T).T
    if layout == "reversed":
        return np.flip(np.flip(x).copy())
    if layout == "strided" and x.ndim:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "broadcast" and x.ndim and x.size:
        return np.broadcast_to(x[:1], x.shape)
    return x


def sample(shape: tuple[int, ...], dtype: Any, seed: int, low: float, high: float) -> Any:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    function=st.sampled_from([f for f in UNARY if f is not np.float64]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
    layout=st.sampled_from(LAYOUTS),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 1000),
)
def test_unary_shapes(function: Any, shape: tuple[int, ...], layout: str, dtype: Any, seed: int) -> None:
    check(case(function, laid_out(sample(shape, dtype, seed, 0.2, 0.8), layout)), seed)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    function=st.sampled_from(BINARY),
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 1000),
)
def test_binary_shapes(function: Any, shapes: Any, layouts: tuple[str, str], dtype: Any, seed: int) -> None:
    # The second operand is the larger, which keeps maximum, remainder and their like off their kinks.
    first, second = shapes.input_shapes
    x1 = laid_out(sample(first, dtype, seed, 0.2, 0.8), layouts[0])
    x2 = laid_out(sample(second, dtype, seed + 1, 1.1, 1.9), layouts[1])
    check(case(function, x1, x2), seed)


# -- conventions: docs/conventions.md, row by row ---------------------------------------------------


def slopes(function: Any, *args: Any, g: Any = 1.0, scalar: bool = False, quiet: bool = True) -> list[Any]:
    """The contributions to all parameters, for a cotangent of ones; warnings are errors unless `quiet`."""
    two_numbers = RULES.get((function, None, None))
    rule = (SCALAR_RULES.get(function) or two_numbers) if scalar else RULES[function]
    assert rule is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function(*args)
    names = [name for name, value in rule.bind(*args).arguments.items() if value is not None]
    if not isinstance(g, (list, np.ndarray)) and isinstance(result, np.ndarray):
        g = np.full(result.shape, g)
    with warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore")
        adjoints = run_template(rule, result, args, {}, g, set(names))
    return [np.asarray(adjoints[name]).tolist() if name in adjoints else None for name in names]


KINKS: list[tuple[Any, tuple[Any, ...], list[Any]]] = [
    (np.absolute, ([0.0, -0.0, nan],), [[0.0, 0.0, nan]]),
    (np.sign, ([0.0],), []),
    (np.maximum, ([1.0, 0.0, inf, 2.0], [1.0, 0.0, inf, 3.0]), [[0.5, 0.5, 0.5, 0.0], [0.5, 0.5, 0.5, 1.0]]),
    (np.minimum, ([1.0, -inf, 2.0], [1.0, -inf, 3.0]), [[0.5, 0.5, 1.0], [0.5, 0.5, 0.0]]),
    (np.maximum, ([nan, 1.0], [1.0, nan]), [[nan, nan], [nan, nan]]),
    (np.fmax, ([nan, 1.0, nan, 2.0], [1.0, nan, nan, 2.0]), [[0.0, 1.0, 0.5, 0.5], [1.0, 0.0, 0.5, 0.5]]),
    (np.fmin, ([nan, 1.0], [1.0, nan]), [[0.0, 1.0], [1.0, 0.0]]),
    (np.sqrt, ([0.0],), [[inf]]),
    (np.cbrt, ([0.0],), [[inf]]),
    (np.log, ([0.0],), [[inf]]),
    (np.arcsin, ([1.0, -1.0],), [[inf, inf]]),
    (np.arccos, ([1.0],), [[-inf]]),
    (np.arccosh, ([1.0],), [[inf]]),
    (np.arctanh, ([1.0],), [[inf]]),
    (np.power, ([0.0, -2.0, 3.0], 0), [[0.0, 0.0, 0.0], -np.log(np.array(1 / 3.0)).item()]),
    (np.power, ([0.0, 0.0, 0.0], [0.0, 1.0, 2.0]), [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]),
    (np.power, ([0.0, 0.0], [0.5, -1.0]), [[inf, -inf], [0.0, 0.0]]),
    (np.power, ([-2.0], [2.0]), [[-4.0], [0.0]]),
    (np.power, ([inf], [-1.0]), [[-0.0], [0.0]]),
    (np.hypot, ([0.0], [0.0]), [[0.0], [0.0]]),
    (np.arctan2, ([0.0, 1.0], [0.0, inf]), [[0.0, 0.0], [0.0, 0.0]]),
    (np.logaddexp, ([-inf, inf, 1.0], [-inf, 0.0, -inf]), [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]),
    (np.logaddexp2, ([-inf, inf, 1.0], [-inf, inf, -inf]), [[0.0, 0.5, 1.0], [0.0, 0.5, 0.0]]),
    (np.sinc, ([0.0],), [[0.0]]),
    (np.copysign, ([0.0, -3.0], [1.0, 1.0]), [[0.0, -1.0], None]),
    (np.nan_to_num, ([nan, inf, 2.0],), [[0.0, 0.0, 1.0]]),
    (np.clip, ([1.0, 2.0, 0.5, nan], 1.0, 2.0), [[1.0, 1.0, 0.0, 1.0], 1.0, 0.0]),
]


@pytest.mark.parametrize(("function", "args", "expected"), KINKS, ids=lambda v: getattr(v, "__name__", None))
def test_convention(function: Any, args: tuple[Any, ...], expected: list[Any]) -> None:
    if function in INACTIVE:
        assert function not in RULES
        return
    arrays = [np.array(a) if isinstance(a, list) else a for a in args]
    for found, wanted in zip(slopes(function, *arrays), expected, strict=False):
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-15)


SCALAR_KINKS: list[tuple[Any, tuple[Any, ...], list[Any]]] = [
    (abs, (0.0,), [0.0]),
    (abs, (nan,), [nan]),
    (math.fabs, (-0.0,), [0.0]),
    (operator.pow, (0.0, 0), [0.0, 0.0]),
    (operator.pow, (0.0, 1), [1.0, 0.0]),
    (operator.pow, (0.0, 2), [0.0, 0.0]),
    (operator.pow, (0.0, 0.5), [inf, 0.0]),
    (operator.pow, (np.float64(0.0), -1.0), [-inf, 0.0]),
    (operator.pow, (-2.0, 2.0), [-4.0, 0.0]),
    (operator.pow, (1e-200, -1.0), [-inf, None]),
    (operator.pow, (inf, 0.5), [0.0, inf]),
    (math.pow, (0.0, 0.5), [inf, 0.0]),
    (math.sqrt, (0.0,), [inf]),
    (math.cbrt, (0.0,), [inf]),
    (math.asin, (1.0,), [inf]),
    (math.acos, (-1.0,), [-inf]),
    (math.acosh, (1.0,), [inf]),
    (math.atan2, (0.0, 0.0), [0.0, 0.0]),
    (math.atan2, (1.0, inf), [0.0, 0.0]),
    (math.atan2, (1e-200, 1e-200), [5e199, -5e199]),
    (math.hypot, (0.0, 0.0), [0.0, 0.0]),
    (math.copysign, (0.0, 1.0), [0.0, None]),
    (math.asin, (nan,), [nan]),
    (math.fmod, (1e300, 1e-300), [1.0, None]),
    (max, (1.0, 1.0), [1.0, 0.0]),
    (min, (1.0, 1.0), [1.0, 0.0]),
    (max, (nan, 1.0), [1.0, 0.0]),
    (max, (1.0, nan), [1.0, 0.0]),
]


@pytest.mark.parametrize(("function", "args", "expected"), SCALAR_KINKS)
def test_scalar_convention(function: Any, args: tuple[Any, ...], expected: list[Any]) -> None:
    for found, wanted in zip(slopes(function, *args, scalar=True), expected, strict=True):
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_python_max_gives_all_to_the_first_of_equals() -> None:
    assert slopes(max, [1.0, 3.0, 3.0]) == [[[0.0, 1.0, 0.0]]]
    assert slopes(min, 2.0, 1.0, 1.0) == [[0.0, 1.0, 0.0]]


EDGES = [0.0, -0.0, 1.0, -1.0, -2.0, 1000.0, inf, -inf, nan]


@pytest.mark.parametrize("function", [*UNARY, *BINARY, np.arccosh], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_zero_cotangent_stays_zero(function: Any, dtype: Any) -> None:
    """What `np.where` did not select must not come back as 0 * inf, on arrays or on NumPy's scalars."""
    edges = np.array(EDGES, dtype)
    operands = (
        (edges,) if function not in BINARY else (np.repeat(edges, len(edges)), np.tile(edges, len(edges)))
    )
    scalars = [tuple(x[k] for x in operands) for k in range(len(operands[0]))]
    for args in [operands, *scalars]:
        with np.errstate(all="ignore"):
            result = function(*args)
            rule = RULES[function]
            names = list(rule.bind(*args).arguments)[: len(args)]
            g = [np.zeros_like(y) for y in result] if isinstance(result, tuple) else np.zeros_like(result)
            found = run_template(rule, result, args, {}, g, set(names))
        for adjoint in found.values():
            assert not np.any(adjoint), (args, adjoint)  # NaN counts as true


def test_a_zero_cotangent_stays_zero_in_quotients_and_powers() -> None:
    zeros = np.zeros(3)
    assert slopes(np.divide, np.ones(3), zeros, g=0.0) == [[0.0] * 3, [0.0] * 3]
    assert slopes(np.divide, zeros, zeros, g=0.0) == [[0.0] * 3, [0.0] * 3]
    assert slopes(np.power, zeros, np.array([-1.0, 0.5, 0.0]), g=0.0) == [[0.0] * 3, [0.0] * 3]


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_where_gives_exactly_zero_to_the_untaken_side(bad: float) -> None:
    taken = np.array([True, False])
    x, y = np.array([1.0, bad]), np.array([bad, 1.0])
    result = np.where(taken, x, y)
    g = np.array([bad, 2.0])
    found = run_template(RULES[np.where], result, (taken, x, y), {}, g, {"x", "y"})
    np.testing.assert_array_equal(found["x"], [bad, 0.0])
    np.testing.assert_array_equal(found["y"], [0.0, 2.0])


def test_division_of_numpy_scalars_by_zero_does_not_raise() -> None:
    with np.errstate(all="ignore"):
        assert slopes(operator.truediv, np.float64(1.0), np.float64(0.0), scalar=True) == [inf, -inf]


def test_scalar_templates_hold_no_runtime_call() -> None:
    import ast

    allowed = {"digamma"}
    of_two = {key: rule for key, rule in RULES.items() if isinstance(key, tuple) and key[1:] == (None, None)}
    assert of_two
    for function, rule in (SCALAR_RULES | of_two).items():
        for step in rule.body:
            for node in ast.walk(step.value):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    named = node.value.id
                    assert named == "math" or (named == "rt" and node.attr in allowed), function


def test_complex_is_refused() -> None:
    z = np.array([1.0 + 2.0j])
    for function in (np.real, np.imag, np.conjugate):
        rule = RULES[function]
        with pytest.raises(NotDifferentiable, match="complex"):
            run_template(rule, function(z), (z,), {}, np.ones(1), set(rule.signature.parameters))


# -- special functions against SciPy ------------------------------------------------------------------


def test_digamma() -> None:
    for x in [*np.linspace(-9.7, 30.0, 398), 1e-8, 1e8, 0.5, 1.0, 10.0]:
        if x <= 0 and abs(x - round(x)) < 1e-3:
            continue
        expected = scipy.special.digamma(x)
        assert abs(rt.digamma(float(x)) - expected) <= 2e-13 * max(1.0, abs(expected)), x


def test_bessel_i1() -> None:
    x = np.linspace(-30.0, 30.0, 121)
    np.testing.assert_allclose(rt.bessel_i1(x), scipy.special.i1(x), rtol=1e-12, atol=1e-14)


def test_sinc_near_zero() -> None:
    x = np.array([1e-8, 1e-4, 0.01, 0.019, 0.0191, 0.02, 0.1])
    exact = -(np.pi**2) * x / 3 + np.pi**4 * x**3 / 30 - np.pi**6 * x**5 / 840 + np.pi**8 * x**7 / 45360
    np.testing.assert_allclose(rt.sinc_slope(x)[:-1], exact[:-1], rtol=1e-11)


# -- the table of functions without derivative -----------------------------------------------------------


def test_no_function_is_both_active_and_inactive() -> None:
    assert not set(RULES) & set(INACTIVE)


def test_every_numpy_function_is_in_the_runtime() -> None:
    reachable = {id(function) for function in rt.FACADE.values()}
    mine = [
        f
        for f, rule in RULES.items()
        if rule.template.__module__.endswith(("arith", "elementwise", "reduce"))
    ]
    functions = [*mine, *INACTIVE]
    missing = [f for f in functions if _of_numpy(f) and id(f) not in reachable]
    assert missing == []


def _of_numpy(function: Any) -> bool:
    return isinstance(function, np.ufunc) or (getattr(function, "__module__", "") or "").startswith("numpy")
