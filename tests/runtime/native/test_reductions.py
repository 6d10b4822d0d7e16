"""Sums, products, extremes and means: NumPy's order of summation, so NumPy's bits."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia.runtime import adjoints
from tests.runtime.native.arrays import (
    DTYPES,
    FLOATS,
    INEXACT,
    Made,
    agree,
    limited,
    made,
    same,
    shapes,
    values,
)

pytestmark = pytest.mark.usefixtures("mode")

REDUCTIONS = ["sum", "prod", "max", "min", "mean"]


@given(st.data())
@limited(100)
def test_reductions(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(REDUCTIONS))
    a = data.draw(made())
    ndim = a.numpy().ndim
    axis = data.draw(
        st.one_of(
            st.none(),
            st.integers(-ndim - 1, ndim),
            st.lists(st.integers(-ndim, max(ndim - 1, 0)), max_size=ndim, unique=True).map(tuple),
        )
    )
    options: dict[str, Any] = {"axis": axis}
    if data.draw(st.booleans()):
        options["keepdims"] = data.draw(st.booleans())
    agree(
        lambda: getattr(_runtime, name)(a.array(), **options), lambda: getattr(np, name)(a.numpy(), **options)
    )
    agree(lambda: getattr(a.array(), name)(**options), lambda: getattr(a.numpy(), name)(**options))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", [str(dtype) for dtype in DTYPES])
def test_every_axis(name: str, dtype: str) -> None:
    x = values(np.dtype(dtype), 3 * 4 * 5, 11).reshape(3, 4, 5)
    for layout in (x, x.T, x[::-1, ::2, ::-2], np.swapaxes(x, 0, 1), np.broadcast_to(x[:, :1], (3, 4, 5))):
        if name == "prod" and x.dtype.kind == "c" and layout.strides[0] < 0:
            continue  # the rounding of NumPy's complex products depends on strides, and on its iterator's copies
        a = myia.asarray(layout)
        for count in range(4):
            for axes in itertools.combinations(range(3), count):
                for keepdims in (False, True):
                    agree(
                        lambda: getattr(a, name)(axis=axes, keepdims=keepdims),  # noqa: B023
                        lambda: getattr(layout, name)(axis=axes, keepdims=keepdims),  # noqa: B023
                    )


@pytest.mark.parametrize("options", [
    {"dtype": "f4"}, {"initial": 3}, {"where": [True, False, True]}, {"axis": (0, 0)}, {"axis": "x"}, {"axis": 1.5},
    {"keepdims": 1}, {"axis": np.int64(0)}, {"out": None}, {"axis": []}, {"nonsense": 1}, {"axis": True},
])  # fmt: skip
@pytest.mark.parametrize("name", REDUCTIONS)
def test_options(name: str, options: dict[str, Any]) -> None:
    x = np.arange(1.0, 4.0)
    agree(
        lambda: getattr(_runtime, name)(myia.asarray(x), **options), lambda: getattr(np, name)(x, **options)
    )
    agree(lambda: getattr(myia.asarray(x), name)(**options), lambda: getattr(x, name)(**options))


def test_positions_and_destinations() -> None:
    x = values(np.dtype("f8"), 60, 1).reshape(4, 15)
    a = myia.asarray(x)
    with np.errstate(all="ignore"):
        same(a.sum(1), x.sum(1))
        same(a.sum(1, "f4"), x.sum(1, "f4"))
        same(a.max(0, None, True), x.max(0, None, True))
        out, expected = myia.asarray(np.zeros(15)), np.zeros(15)
        result = a.sum(0, out=out)
        x.sum(0, out=expected)
        assert result is out
        same(out, expected)
        assert np.sum(a, axis=0, out=out) is out
        same(np.add.reduce(a, axis=1), np.add.reduce(x, axis=1))


@pytest.mark.parametrize("dtype", [str(dtype) for dtype in INEXACT])
def test_zeros_and_nans(dtype: str) -> None:
    for numbers in (
        [-0.0],
        [-0.0, -0.0],
        [0.0, -0.0],
        [-0.0, 0.0],
        [np.nan, 1],
        [1, np.nan],
        [np.inf, -np.inf],
    ):
        x = np.array(numbers, dtype)
        y = np.tile(x, (9, 20))
        for one in (x, y, y.T):
            for name in REDUCTIONS:
                for axis in (None, 0, -1):
                    agree(
                        lambda: getattr(myia.asarray(one), name)(axis),  # noqa: B023
                        lambda: getattr(one, name)(axis),  # noqa: B023
                    )


LENGTHS = [
    *range(1, 20),
    63,
    64,
    65,
    127,
    128,
    129,
    130,
    136,
    137,
    255,
    256,
    257,
    1000,
    1023,
    8191,
    8192,
    8193,
    65537,
]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_pairwise_summation(dtype: str) -> None:
    x = values(np.dtype(dtype), max(LENGTHS) * 2, 3, special=False)
    a = myia.asarray(x)
    for length in LENGTHS:
        same(a[:length].sum(), x[:length].sum())
        same(a[3 : length + 3].mean(), x[3 : length + 3].mean())
        same(a[: 2 * length : 2].sum(), x[: 2 * length : 2].sum())
        same(a[length - 1 :: -1].sum(), x[length - 1 :: -1].sum())


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i8"])
@pytest.mark.parametrize("shape", [(1_000_003,), (1001, 999), (3, 333_333), (333_333, 3), (100, 101, 99)])
def test_large(dtype: str, shape: tuple[int, ...]) -> None:
    x = values(np.dtype(dtype), int(np.prod(shape)), 4, special=False).reshape(shape)
    for layout in (x, x.T):
        a = myia.asarray(layout)
        for axis in (None, 0, -1, 1 if x.ndim > 2 else 0):
            same(a.sum(axis), layout.sum(axis))
        same(a.max(0), layout.max(0)) if dtype != "c16" else None
        if dtype in ("f4", "f8"):
            same(a.mean(-1), layout.mean(-1))
            same(a.mean(), layout.mean())
            same(a.min(), layout.min())


@pytest.mark.parametrize(
    "shape", [(7, 9), (40, 50), (3, 4095), (3, 4097), (130, 130), (9, 9, 9), (2, 8191), (90, 91, 3)]
)
def test_sums_over_several_strides(shape: tuple[int, ...]) -> None:
    """NumPy's iterator copies such operands into its buffer, and sums what is in it."""
    whole = values(np.dtype("f8"), int(np.prod(shape)), 6, special=False).reshape(shape)
    large = np.zeros([n + 3 for n in shape])
    large[tuple(slice(1, n + 1) for n in shape)] = whole
    views = [
        large[tuple(slice(1, n + 1) for n in shape)],
        large[tuple(slice(n, 0, -1) for n in shape)],
        np.broadcast_to(whole[:1], shape),
        np.broadcast_to(whole[..., :1], shape),
    ]
    for view in [*views, *(np.stack([v, v + 1])[:, ::-1] for v in views), *(v.T for v in views)]:
        a = myia.asarray(view)
        for count in range(1, view.ndim + 1):
            for axes in itertools.combinations(range(view.ndim), count):
                same(a.sum(axes), view.sum(axes))
                same(a.mean(axes, keepdims=True), view.mean(axes, keepdims=True))


@pytest.mark.parametrize("how", ["warn", "raise"])
def test_error_state(how: str) -> None:
    for numbers in ([1e308] * 200, [np.inf, -np.inf] * 100, [1e308] * 3):
        x = np.array(numbers)
        for name in ("sum", "prod", "mean", "max"):
            with np.errstate(all=how):
                agree(lambda: getattr(myia.asarray(x), name)(), lambda: getattr(x, name)())  # noqa: B023
                y = np.tile(x, (10, 1)).T
                agree(lambda: getattr(myia.asarray(y), name)(0), lambda: getattr(y, name)(0))  # noqa: B023


def test_empty() -> None:
    for shape in ((0,), (0, 3), (3, 0), (2, 0, 2)):
        x = np.zeros(shape)
        for name in REDUCTIONS:
            for axis in (None, 0, -1):
                agree(
                    lambda: getattr(myia.asarray(x), name)(axis),  # noqa: B023
                    lambda: getattr(x, name)(axis),  # noqa: B023
                )


# -- what backprops sum ---------------------------------------------------------------------------------------


@given(st.data())
@limited(40)
def test_sum_to(data: st.DataObject) -> None:
    g = data.draw(made(dtypes=[*FLOATS, np.dtype("c16")]))
    full = g.numpy().shape
    lead = data.draw(st.integers(0, len(full)))
    target = tuple(1 if data.draw(st.booleans()) else n for n in full)[lead:]
    x = Made(np.dtype("f8"), target, 1, "C")
    agree(lambda: rt.sum_to(g.array(), target), lambda: adjoints.sum_to(g.numpy(), target))  # type: ignore[attr-defined]
    agree(
        lambda: rt.unbroadcast(g.array(), x.array()),  # type: ignore[attr-defined]
        lambda: adjoints.unbroadcast(g.numpy(), x.numpy()),  # type: ignore[attr-defined]
    )


@given(
    shapes(least=1), st.sampled_from(FLOATS), st.sampled_from([2.5, 0, 3, np.float32(0.1), np.float64(0.1)])
)
@limited(20)
def test_spread(shape: tuple[int, ...], dtype: np.dtype[Any], g: Any) -> None:
    a = Made(dtype, shape, 1, "C")
    agree(
        lambda: rt.spread(g, a.array(), None, False),  # type: ignore[attr-defined]
        lambda: rt.FACADE["spread"](g, a.numpy(), None, False),
        warned=False,
    )
