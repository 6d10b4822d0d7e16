"""Reductions and their like: the rules against oracles, and the conventions at ties, zeros and NaNs."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myia.adjoint.rules import reduce
from myia.adjoint.rules.methods import METHODS
from myia.adjoint.template import INACTIVE, RULES, run_template
from myia.errors import NotDifferentiable
from tests.rules.cases import Case, case, check, uncovered
from tests.rules.reduce_cases import CASES, REDUCTIONS, X
from tests.rules.test_elementwise import LAYOUTS, laid_out

nan, inf = math.nan, math.inf


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_oracles(case: Case) -> None:
    check(case)


def test_every_rule_has_a_case() -> None:
    assert uncovered([reduce], CASES) == []


AXES = st.one_of(st.none(), st.integers(-4, 3), st.tuples(st.integers(-4, 3), st.integers(-4, 3)))


def spaced(shape: tuple[int, ...], seed: int, dtype: Any) -> Any:
    """Values of which no two lie within a step, so that no maximum is near a tie."""
    size = math.prod(shape)
    order = np.random.default_rng(seed).permutation(size)
    return (0.4 + (order + 0.5) / (size + 1)).reshape(shape).astype(dtype)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    function=st.sampled_from([*REDUCTIONS, np.cumsum, np.cumprod]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3),
    layout=st.sampled_from([name for name in LAYOUTS if name != "broadcast"]),
    axis=AXES,
    keepdims=st.booleans(),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 1000),
)
def test_shapes(
    function: Any, shape: tuple[int, ...], layout: str, axis: Any, keepdims: bool, dtype: Any, seed: int
) -> None:
    x = laid_out(spaced(shape, seed, dtype), layout)
    axes = axis if isinstance(axis, tuple) else (axis,)
    running = function in (np.cumsum, np.cumprod)
    if axis is not None and (
        any(not -x.ndim <= k < x.ndim for k in axes) or len({k % x.ndim for k in axes}) < len(axes)
    ):
        axis = None
    if running and isinstance(axis, tuple):
        axis = axis[0]
    reduced = (
        x.size
        if axis is None
        else math.prod(x.shape[k] for k in (axis if isinstance(axis, tuple) else (axis,)))
    )
    if function in (np.std, np.nanstd) and reduced == 1:
        return  # a kink: the deviation of one element
    check(case(function, x, axis=axis, **({} if running else {"keepdims": keepdims})), seed)


# -- conventions: docs/conventions.md --------------------------------------------------------------


def slope(function: Any, a: Any, g: Any = 1.0, **kwargs: Any) -> Any:
    array = np.asarray(a, float)
    with np.errstate(all="ignore"):
        result = function(array, **kwargs)
    if isinstance(result, np.ndarray):
        g = np.broadcast_to(np.asarray(g, float), result.shape)
    return run_template(RULES[function], result, (array,), kwargs, g, {"a"})["a"].tolist()


def test_ties_of_reductions_are_shared_equally() -> None:
    assert slope(np.max, [1.0, 3.0, 3.0, 3.0]) == [0.0, 1 / 3, 1 / 3, 1 / 3]
    assert slope(np.min, [1.0, 1.0, 3.0]) == [0.5, 0.5, 0.0]
    assert slope(np.max, [[2.0, 2.0], [1.0, 3.0]], axis=1) == [[0.5, 0.5], [0.0, 1.0]]
    assert slope(np.max, [inf, inf, 0.0]) == [0.5, 0.5, 0.0]
    assert slope(np.max, [1.0, 2.0], g=inf) == [0.0, inf]
    assert slope(np.ptp, [1.0, 1.0]) == [0.0, 0.0]
    assert slope(np.ptp, [1.0, 2.0, 2.0]) == [-1.0, 0.5, 0.5]


def test_ties_of_the_median() -> None:
    assert slope(np.median, [1.0, 2.0, 2.0, 2.0, 3.0]) == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0])
    assert slope(np.median, [1.0, 2.0, 3.0, 4.0]) == [0.0, 0.5, 0.5, 0.0]
    assert slope(np.median, [1.0, 2.0, 3.0, 3.0]) == [0.0, 0.5, 0.25, 0.25]


def test_nan_in_a_maximum_makes_the_whole_reduction_nan() -> None:
    np.testing.assert_array_equal(slope(np.max, [[1.0, nan], [1.0, 2.0]], axis=1), [[nan, nan], [0.0, 1.0]])
    np.testing.assert_array_equal(slope(np.median, [1.0, nan, 2.0]), [nan, nan, nan])
    assert slope(np.nanmax, [1.0, nan, 2.0]) == [0.0, 0.0, 1.0]


def test_deviation_of_equal_numbers() -> None:
    assert slope(np.std, [2.0, 2.0, 2.0]) == [0.0, 0.0, 0.0]
    assert slope(np.std, [[2.0, 2.0], [1.0, 3.0]], axis=1) == [[0.0, 0.0], [-0.5, 0.5]]
    assert slope(np.var, [2.0, 2.0]) == [0.0, 0.0]
    assert slope(np.nanstd, [2.0, 2.0, nan]) == [0.0, 0.0, 0.0]


def test_products_with_zeros_are_exact() -> None:
    assert slope(np.prod, [0.0, 2.0, 3.0]) == [6.0, 0.0, 0.0]
    assert slope(np.prod, [0.0, 0.0, 3.0]) == [0.0, 0.0, 0.0]
    assert slope(np.prod, [1e-200, 1e-200, 1.0]) == [1e-200, 1e-200, 0.0]
    assert slope(np.cumprod, [2.0, 0.0, 3.0]) == [1.0, 8.0, 0.0]
    assert slope(np.cumprod, [0.0, 0.0, 3.0]) == [1.0, 0.0, 0.0]


def test_interpolation_at_a_node_takes_the_slope_to_the_right() -> None:
    xp, fp = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])
    x = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    result = np.interp(x, xp, fp)
    found = run_template(RULES[np.interp], result, (x, xp, fp), {}, np.ones(5), {"x"})["x"]
    assert found.tolist() == [0.0, 1.0, 4.0, 4.0, 0.0]


def test_the_spacing_of_gradient_is_refused() -> None:
    f = np.arange(4.0)
    with pytest.raises(NotDifferentiable, match="spacing"):
        run_template(RULES[np.gradient], np.gradient(f, 0.5), (f, 0.5), {}, np.ones(4), {"varargs"})


@pytest.mark.parametrize("name", ["out", "where", "initial"])
def test_unsupported_parameters_are_refused(name: str) -> None:
    with pytest.raises(TypeError):
        RULES[np.sum].bind(X, **{name: X})


def test_contributions_are_fresh_and_writable() -> None:
    for function in REDUCTIONS:
        result = function(X)
        adjoint = run_template(RULES[function], result, (X,), {}, np.float64(1.0), {"a"})["a"]
        adjoint += 1.0
        assert not np.shares_memory(adjoint, X)


# -- methods ------------------------------------------------------------------------------------------

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "all": ((0,), {}), "any": ((0,), {}), "argmax": ((1,), {}), "argmin": ((1,), {}),
    "argpartition": ((1, 0), {}), "argsort": ((0,), {}), "astype": ((np.float32,), {}),
    "clip": ((0.3, 0.6), {}), "conj": ((), {}), "conjugate": ((), {}), "copy": (("C",), {}),
    "cumprod": ((1,), {}), "cumsum": ((1, np.float64), {}), "diagonal": ((1, 0, 1), {}),
    "dot": ((np.ones(3),), {}), "flatten": (("F",), {}), "item": ((4,), {}),
    "max": ((1,), {"keepdims": True}), "mean": ((0, np.float64), {}),
    "min": ((1,), {}), "nonzero": ((), {}), "prod": ((1, np.float64), {}),
    "ravel": (("F",), {}), "repeat": ((2, 1), {}), "reshape": ((3, 2), {}), "round": ((1,), {}),
    "squeeze": ((), {}), "std": ((0, np.float64), {"ddof": 1}), "sum": ((0, np.float64), {}),
    "swapaxes": ((0, 1), {}), "take": (([0, 1], 1), {}), "tolist": ((), {}), "trace": ((1, 0, 1), {}),
    "transpose": ((1, 0), {}), "var": ((0, np.float64), {"ddof": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_is_its_function(name: str) -> None:
    """The same value for the same positional arguments, and a rule that takes them."""
    if name == "searchsorted":
        x: Any = np.sort(X.ravel())
        args, kwargs = (0.4, "right"), {}
    else:
        x = X
        args, kwargs = CALLS[name]
    function = METHODS[name]
    np.testing.assert_equal(function(x, *args, **kwargs), getattr(x, name)(*args, **kwargs))
    if function not in INACTIVE:
        RULES[function].bind(x, *args, **kwargs)
