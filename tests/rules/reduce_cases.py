"""Cases of reductions, running sums and products, differences, convolution, interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.cases import Case, case
from tests.rules.elementwise_cases import numbers

X = numbers(2, 3)
CUBE = numbers(2, 3, 4)
HOLES = np.array([[0.3, np.nan, 0.5], [0.7, 0.2, np.nan]])
ZEROS = np.array([[0.5, 0.0, 0.7], [0.0, 0.3, 0.0], [0.2, 0.4, 0.6]])

SUMS = [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanmean, np.nanprod, np.nanvar, np.nanstd]
CHOICES = [np.max, np.min, np.ptp, np.median, np.nanmax, np.nanmin]
ANALYTIC = [np.sum, np.mean, np.prod]
REDUCTIONS = [*SUMS, *CHOICES]

WAYS: list[dict[str, Any]] = [
    {}, {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}, {"axis": (-1, 0)}, {"keepdims": True},
    {"axis": 1, "keepdims": True}, {"axis": (1, 2), "keepdims": True}, {"axis": ()},
]  # fmt: skip

NODES = np.array([0.1, 0.35, 0.6, 1.1])
VALUES = np.array([0.5, -0.3, 0.8, 0.2])
POINTS = np.array([[-0.5, 0.15, 0.4], [0.7, 1.05, 2.0]])

CASES: list[Case] = [
    # An empty tuple of axes leaves nothing to deviate from, and np.median refuses it.
    *(
        case(f, CUBE, analytic=f in ANALYTIC, **way)
        for f in REDUCTIONS
        for way in WAYS
        if way != {"axis": ()} or f in ANALYTIC
    ),
    *(case(f, CUBE.astype(np.float32), **way) for f in REDUCTIONS for way in WAYS[:3]),
    *(
        case(f, x)
        for f in REDUCTIONS
        for x in (np.array(0.4), numbers(1), numbers(3, 1))
        if f not in (np.std, np.nanstd)
    ),
    *(case(f, numbers(0, 3), axis=0) for f in (np.sum, np.prod, np.nansum)),
    *(case(f, numbers(0, 3), axis=1) for f in REDUCTIONS if f not in (np.median,)),
    *(case(f, [0.3, 0.1, 0.4]) for f in REDUCTIONS),
    *(case(f, [numbers(2), numbers(2)]) for f in (np.sum, np.mean, np.max)),
    *(case(f, [[0.3, 0.1], [0.2, 0.5]], axis=0) for f in (np.sum, np.max, np.var)),
    case(np.sum, 0.7),
    case(np.sum, X, 0, np.float64),
    case(np.sum, X.astype(np.float32), dtype=np.float64),
    *(case(f, CUBE, ddof=1) for f in (np.var, np.std, np.nanvar, np.nanstd)),
    *(case(f, CUBE, ddof=1, axis=(0, 1), keepdims=True) for f in (np.var, np.std, np.nanvar, np.nanstd)),
    *(
        case(f, HOLES, **way)
        for f in (np.nansum, np.nanmean, np.nanprod, np.nanvar, np.nanstd, np.nanmax, np.nanmin)
        for way in ({}, {"axis": 0}, {"axis": 1, "keepdims": True})
        if f is not np.nanstd or way != {"axis": 0}
    ),
    *(case(np.prod, ZEROS, axis=axis, analytic=True) for axis in (None, 0, 1)),
    case(np.prod, np.array([0.5, 0.0, 2.0]), analytic=True),
    *(case(np.median, numbers(n)) for n in (1, 2, 5, 6)),
    # averages
    case(np.average, X),
    case(np.average, X, axis=0),
    case(np.average, X, weights=numbers(2, 3), analytic=True),
    case(np.average, X, 0, numbers(2), analytic=True),
    case(np.average, X, axis=1, weights=numbers(3), keepdims=True),
    case(np.average, CUBE, axis=(2, 0), weights=numbers(4, 2)),
    case(np.average, CUBE, axis=(0, 1), weights=numbers(2, 3)),
    case(np.average, X.astype(np.float32), weights=X.astype(np.float32)),
    # running
    *(case(f, CUBE, axis=axis, analytic=True) for f in (np.cumsum, np.cumprod) for axis in (None, 0, 1, -1)),
    *(case(f, numbers(*shape), 0) for f in (np.cumsum, np.cumprod) for shape in [(1,), (0,), (3, 0), (0, 3)]),
    *(case(f, np.array(0.4)) for f in (np.cumsum, np.cumprod)),
    *(case(f, CUBE.astype(np.float32), axis=1) for f in (np.cumsum, np.cumprod)),
    *(case(f, [0.3, 0.1, 0.4]) for f in (np.cumsum, np.cumprod)),
    *(case(np.cumprod, ZEROS, axis=axis, analytic=True) for axis in (None, 0, 1)),
    # differences
    *(case(np.diff, CUBE, n, axis, analytic=True) for n in (0, 1, 2) for axis in (0, 1, -1)),
    case(np.diff, CUBE, n=5),
    case(np.diff, [0.3, 0.1, 0.4]),
    case(np.diff, X.astype(np.float32)),
    case(np.ediff1d, X, analytic=True),
    case(np.gradient, numbers(7)),
    case(np.gradient, numbers(2)),
    case(np.gradient, numbers(9), 0.3, edge_order=2, active=("f",)),
    case(np.gradient, numbers(4), NODES, active=("f",)),
    case(np.gradient, numbers(4), NODES, edge_order=2, active=("f",)),
    case(np.gradient, numbers(3, 4), axis=1),
    case(np.gradient, numbers(3, 4)),
    case(np.gradient, numbers(3, 4), 0.5, NODES, active=("f",)),
    case(np.gradient, numbers(3, 4).astype(np.float32), 2.0, active=("f",)),
    # integrals, convolution, interpolation, even spacing
    case(np.trapezoid, X, analytic=True),
    case(np.trapezoid, X, dx=0.3, axis=0),
    case(np.trapezoid, numbers(4), NODES, analytic=True),
    case(np.trapezoid, numbers(3, 4), NODES),
    case(np.trapezoid, numbers(4, 3), NODES, axis=0),
    case(np.trapezoid, numbers(3, 4), numbers(3, 4)),
    case(np.trapezoid, X.astype(np.float32), dx=2),
    *(
        case(np.convolve, numbers(n), numbers(k), mode=mode, analytic=True)
        for n, k in [(5, 3), (3, 5), (6, 4), (4, 4), (1, 3), (1, 1), (2, 6)]
        for mode in ("full", "same", "valid")
    ),
    case(np.convolve, numbers(5).astype(np.float32), numbers(3).astype(np.float32)),
    case(np.interp, POINTS, NODES, VALUES),
    case(np.interp, 0.2, NODES, VALUES),
    case(np.interp, np.float64(0.2), list(NODES), list(VALUES)),
    case(np.interp, POINTS, NODES[:1], VALUES[:1], active=("fp",)),
    case(np.linspace, 0.3, 0.9, 5),
    case(np.linspace, 0.3, 0.9, 5, endpoint=False),
    case(np.linspace, 0.3, 0.9, 1),
    case(np.linspace, numbers(3), 2.5, 4),
]
