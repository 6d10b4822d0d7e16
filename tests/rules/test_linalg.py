"""Rules of linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from myia.adjoint.template import RULES, run_template
from myia.errors import MissingRule, NotDifferentiable
from tests.rules.rows import Row, check, ids, normal, numbers, run_rule, uncovered

L = np.linalg


def regular(*shape: int) -> Any:
    """Matrices well away from singular ones."""
    return normal(*shape) + 3 * np.eye(shape[-1])


def positive(*shape: int) -> Any:
    """Symmetric positive definite matrices."""
    z = normal(*shape)
    return z @ np.swapaxes(z, -1, -2) + np.eye(shape[-1])


SQUARES = [(3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2), (2, 1, 2, 2)]
RECTANGLES = [(3, 3), (4, 3), (3, 4), (2, 4, 3), (2, 3, 4), (1, 3), (3, 1)]
VECTOR_ORDERS = [None, 1, 2, 3, 2.5, np.inf, -np.inf, -1, 0.5, 0, -2]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]

NORMS = [
    *[Row(L.norm, normal(*s), analytic=False) for s in ((), (4,), (3, 4), (2, 3, 4), (0,), (1,))],
    Row(L.norm, normal(3, 4), keepdims=True, analytic=False),
    Row(L.norm, numbers(3), analytic=False),
    *[Row(L.norm, normal(5), o, wrt=["x"], analytic=False) for o in VECTOR_ORDERS],
    *[Row(L.norm, normal(3, 4), o, axis=0, wrt=["x"], analytic=False) for o in VECTOR_ORDERS],
    *[Row(L.norm, normal(3, 4, 2), o, -2, True, wrt=["x"], analytic=False) for o in VECTOR_ORDERS],
    *[Row(L.norm, normal(3, 4), o, wrt=["x"], analytic=False) for o in MATRIX_ORDERS],
    *[
        Row(L.norm, normal(3, 4, 2), o, axis, keepdims=keepdims, wrt=["x"], analytic=False)
        for o in MATRIX_ORDERS
        for axis in ((0, 1), (2, 0), (-1, -2))
        for keepdims in (False, True)
    ],
]

SOLUTIONS = [
    *[Row(f, regular(*s)) for f in (L.inv, L.det) for s in SQUARES],
    *[Row(L.slogdet, regular(*s), analytic=False) for s in SQUARES],
    *[
        Row(L.solve, regular(*a), normal(*b))
        for a, b in [
            ((3, 3), (3,)),
            ((3, 3), (3, 2)),
            ((2, 3, 3), (2, 3, 2)),
            ((3, 3), (2, 3, 2)),
            ((2, 3, 3), (3, 2)),
            ((2, 3, 3), (3,)),
            ((0, 0), (0,)),
            ((3, 3), (3, 0)),
            ((1, 1), (1,)),
        ]
    ],
    *[Row(L.matrix_power, regular(*s), n) for s in SQUARES for n in (0, 1, 2, 5, -1, -3)],
    *[Row(L.pinv, normal(*s), analytic=False) for s in RECTANGLES],
]

DECOMPOSITIONS = [
    *[Row(L.cholesky, positive(*s), analytic=False) for s in SQUARES],
    *[Row(L.cholesky, positive(*s), upper=True, analytic=False) for s in SQUARES],
    *[Row(f, positive(*s), analytic=False) for f in (L.eigh, L.eigvalsh) for s in SQUARES if s != (0, 0)],
    *[Row(f, normal(4, 4), uplo, analytic=False) for f in (L.eigh, L.eigvalsh) for uplo in "LUlu"],
    Row(L.eigh, positive(2, 3, 3), UPLO="U", analytic=False),
    *[Row(L.qr, normal(*s), mode, analytic=False) for s in RECTANGLES for mode in ("reduced", "r")],
    Row(L.qr, normal(3, 3), "complete", analytic=False),
    Row(L.qr, normal(3, 5), mode="complete", analytic=False),
    *[Row(L.svd, normal(*s), full_matrices=False, analytic=False) for s in RECTANGLES],
    *[Row(L.svd, normal(*s), compute_uv=False, analytic=False) for s in RECTANGLES],
    Row(L.svd, normal(3, 3), analytic=False),
    *[Row(L.svdvals, normal(*s), analytic=False) for s in RECTANGLES],
]

POLYNOMIALS = [
    *[Row(np.polyval, normal(n), normal(3)) for n in (1, 2, 4)],
    Row(np.polyval, numbers(3), normal(2, 3)),
    Row(np.polyval, normal(3), 2.0),
    Row(np.polyval, [2, 1], x=2.0),
    *[
        Row(np.vander, normal(3), **kw)
        for kw in ({}, {"N": 2}, {"increasing": True}, {"N": 5, "increasing": True}, {"N": 1}, {"N": 0})
    ],
]

ROWS = [*NORMS, *SOLUTIONS, *DECOMPOSITIONS, *POLYNOMIALS]


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_linalg(row: Row) -> None:
    check(row)


def test_every_rule_has_a_row() -> None:
    assert not uncovered(ROWS, "myia.adjoint.rules.linalg")


# -- kinks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [None, 1, 2, 3, 0.5, np.inf, -np.inf])
def test_the_norm_of_zero_has_the_adjoint_zero(order: Any) -> None:
    np.testing.assert_array_equal(run_rule(L.norm, (np.zeros(3), order), 1.0, "x"), np.zeros(3))
    rows = run_rule(L.norm, (np.array([[0.0, 0.0], [3.0, 4.0]]),), np.ones(2), "x", axis=1)
    np.testing.assert_allclose(rows, [[0.0, 0.0], [0.6, 0.8]])


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_the_norm_of_a_zero_matrix_has_the_adjoint_zero(order: Any) -> None:
    np.testing.assert_array_equal(run_rule(L.norm, (np.zeros((2, 3)), order), 1.0, "x"), np.zeros((2, 3)))


def test_elements_that_tie_for_the_largest_share() -> None:
    np.testing.assert_array_equal(
        run_rule(L.norm, (np.array([2.0, -2.0, 1.0]), np.inf), 1.0, "x"), [0.5, -0.5, 0.0]
    )


def test_a_zero_element_of_a_norm_below_one() -> None:
    # The slope there is infinite; its sign is not known, and the subgradient is 0.
    d_x = run_rule(L.norm, (np.array([0.0, 4.0]), 0.5), 1.0, "x")
    np.testing.assert_allclose(d_x, [0.0, 1.0])


# -- singular matrices -----------------------------------------------------------------------------


def test_the_determinant_of_singular_matrices() -> None:
    a = normal(4, 4)
    a[0] = 2 * a[1]
    check(Row(L.det, a.copy()))
    a[2] = a[3]
    check(Row(L.det, a))
    check(Row(L.det, np.zeros((1, 1))))
    check(Row(L.det, np.zeros((2, 2))))
    np.testing.assert_array_equal(run_rule(L.det, (np.zeros((3, 3)),), 1.0, "a"), np.zeros((3, 3)))


def test_slogdet_whose_logarithm_is_not_used() -> None:
    np.testing.assert_array_equal(run_rule(L.slogdet, (np.zeros((2, 2)),), [1.0, 0.0], "a"), np.zeros((2, 2)))


def test_pinv_of_a_matrix_without_full_rank() -> None:
    # Along changes that keep the rank: a = u v with u (4, 2) and v (2, 3).
    u, v, d_u, d_v, g = normal(4, 2), normal(2, 3), normal(4, 2), normal(2, 3), normal(3, 4)
    d_a = run_rule(L.pinv, (u @ v,), g, "a")
    h = 1e-6
    moved = [L.pinv((u + s * h * d_u) @ (v + s * h * d_v)) for s in (1, -1)]
    expected = np.sum(g * (moved[0] - moved[1])) / (2 * h)
    np.testing.assert_allclose(np.sum(d_a * (d_u @ v + u @ d_v)), expected, rtol=1e-5)


# -- vectors that are no functions of the matrix ---------------------------------------------------


def test_values_of_equal_eigenvalues_are_fine_but_not_their_vectors() -> None:
    np.testing.assert_allclose(run_rule(L.eigh, (np.eye(3),), [np.ones(3), 0.0], "a"), np.eye(3), atol=1e-15)
    np.testing.assert_allclose(
        run_rule(L.svd, (np.eye(3),), [0.0, np.ones(3), 0.0], "a"), np.eye(3), atol=1e-15
    )
    with pytest.raises(NotDifferentiable, match="equal eigenvalues"):
        run_rule(L.eigh, (np.eye(3),), [0.0, np.ones((3, 3))], "a")
    with pytest.raises(NotDifferentiable, match="equal singular values"):
        run_rule(L.svd, (np.eye(3),), [normal(3, 3), 0.0, 0.0], "a")


def test_vectors_beyond_the_rank_are_refused() -> None:
    with pytest.raises(MissingRule, match="full_matrices"):
        run_rule(L.svd, (normal(4, 2),), [normal(4, 4), 0.0, 0.0], "a")
    d_a = run_rule(L.svd, (normal(4, 2),), [0.0, np.ones(2), 0.0], "a")
    assert d_a.shape == (4, 2)
    with pytest.raises(MissingRule, match="complete"):
        run_rule(L.qr, (normal(4, 2), "complete"), [normal(4, 4), normal(4, 2)], "a")
    with pytest.raises(MissingRule, match="raw"):
        run_rule(L.qr, (normal(2, 2), "raw"), [normal(2, 2), normal(2)], "a")


def test_parts_that_were_not_used() -> None:
    a = regular(3, 3)
    g = normal(3, 3)
    zero = np.zeros((3, 3))
    for f, d_y, full in [
        (L.qr, [g, 0.0], [g, zero]),
        (L.qr, [0.0, g], [zero, g]),
        (L.svd, [g, 0.0, 0.0], [g, np.zeros(3), zero]),
        (L.svd, [0.0, 0.0, g], [zero, np.zeros(3), g]),
        (L.eigh, [0.0, g], [np.zeros(3), g]),
    ]:
        np.testing.assert_array_equal(run_rule(f, (a,), d_y, "a"), run_rule(f, (a,), full, "a"))


def test_only_the_triangle_that_is_read_has_an_adjoint() -> None:
    a = positive(3, 3)
    g = normal(3, 3)
    lower = run_rule(L.cholesky, (a,), g, "a")
    assert not np.triu(lower, 1).any()
    assert not np.tril(run_rule(L.cholesky, (a,), g, "a", upper=True), -1).any()
    assert not np.triu(run_rule(L.eigvalsh, (a,), normal(3), "a"), 1).any()
    a[0, 2] = 7.0
    np.testing.assert_array_equal(run_rule(L.cholesky, (a,), g, "a"), lower)


def test_unknown_norms_are_refused() -> None:
    for shape, order in [((5,), "abc"), ((2, 2), 3)]:
        with pytest.raises(MissingRule, match="ord"):
            run_template(RULES[L.norm], 1.0, (normal(*shape), order), {}, 1.0, {"x"})
