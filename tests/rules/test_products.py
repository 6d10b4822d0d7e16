"""Rules of products: all ranks, batches, broadcasting, forms of einsum."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

from myia import runtime as rt
from myia.adjoint.template import RULES
from myia.errors import MissingRule
from tests.rules.rows import Row, check, ids, normal, numbers, run_rule, uncovered

MATMUL = [
    ((2,), (2,)),
    ((3, 2), (2,)),
    ((2,), (2, 3)),
    ((3, 2), (2, 4)),
    ((1, 1), (1, 1)),
    ((5, 3, 2), (2, 4)),
    ((3, 2), (5, 2, 4)),
    ((1, 3, 2), (5, 2, 4)),
    ((5, 3, 2), (5, 2, 1)),
    ((5, 3, 2), (2,)),
    ((2,), (5, 2, 4)),
    ((2, 1, 3, 2), (5, 2, 4)),
    ((2, 3, 4, 2), (2,)),
    ((0, 2), (2, 3)),
    ((3, 0), (0, 2)),
    ((3, 0), (0,)),
    ((0,), (0,)),
    ((0, 3, 2), (2, 4)),
]
DOT = [
    ((), ()),
    ((), (3,)),
    ((2, 3), ()),
    ((2,), (2,)),
    ((3, 2), (2,)),
    ((2,), (2, 3)),
    ((3, 2), (2, 4)),
    ((5, 3, 2), (2, 4)),
    ((3, 2), (5, 2, 4)),
    ((5, 3, 2), (2,)),
    ((2,), (5, 2, 4)),
    ((2, 1, 3, 2), (5, 2, 4)),
    ((3, 0), (0, 2)),
]
SMALL = [((), ()), ((), (2, 3)), ((3,), ()), ((3,), (2,)), ((2, 3), (4,)), ((3,), (2, 1, 2)), ((2, 0), (3,))]
EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (2, 2, 2)),
    ("iij->j", (2, 2, 3)),
    ("ijij->ij", (2, 3, 2, 3)),
    ("ij->j", (2, 3)),
    ("ij->", (2, 3)),
    ("i->", (0,)),
    ("i,i", (3,), (3,)),
    ("ij,kl->ik", (2, 3), (4, 5)),
    ("iij,jk->ki", (2, 2, 3), (3, 4)),
    ("i,j,k->ijk", (2,), (3,), (4,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,ij,ij", (2, 3), (2, 3), (2, 3)),
    ("a,ab,bc,c->", (2,), (2, 3), (3, 4), (4,)),
    (",ij->ij", (), (2, 3)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...ij,...jk", (5, 2, 3), (1, 3, 4)),
    ("i...->...", (2, 3)),
    ("...i->i...", (2, 3, 4)),
    ("...,...", (2, 3), (3,)),
    ("...ii->...i", (4, 3, 3)),
    ("ij,ij->ij", (1, 3), (2, 3)),
    ("ij,ij->", (2, 1), (2, 3)),
    ("ij,j->", (2, 3), (1,)),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("ij->i", (2, 0)),
]
CROSS = [
    ((3,), (3,), {}),
    ((5, 3), (3,), {}),
    ((5, 3), (5, 3), {}),
    ((4, 1, 3), (5, 3), {}),
    ((3, 5), (3, 5), {"axis": 0}),
    ((3, 5), (5, 3), {"axisa": 0}),
    ((5, 3), (3, 5), {"axisb": -2}),
    ((5, 3), (5, 3), {"axisc": 0}),
    ((0, 3), (0, 3), {}),
]

ROWS = [
    *[Row(f, normal(*a), normal(*b)) for f in (np.matmul, operator.matmul) for a, b in MATMUL],
    *[
        Row((f, len(a), len(b)), normal(*a), normal(*b))
        for f in (np.matmul, operator.matmul, np.dot)
        for a, b in MATMUL
        if len(a) < 3 > len(b)
    ],
    Row((np.matmul, 2, 1), normal(200, 100), normal(100)),
    *[Row(np.dot, normal(*a), normal(*b)) for a, b in DOT],
    Row(np.dot, 2.0, normal(3)),
    Row(np.dot, 2.0, 3.0),
    Row(np.dot, a=normal(2, 3), b=normal(3)),
    Row(operator.matmul, normal(2, 3), numbers(3)),
    Row(np.vdot, normal(3, 4), normal(3, 4), analytic=False),
    Row(np.vdot, normal(3, 4), normal(12), analytic=False),
    Row(np.vdot, 2.0, 3.0, analytic=False),
    Row(np.inner, normal(4), normal(4)),
    Row(np.inner, normal(2, 3, 4), normal(5, 4)),
    Row(np.inner, normal(4), normal(5, 4)),
    Row(np.inner, 2.0, normal(3)),
    Row(np.inner, normal(2, 3), 2.0),
    Row(np.inner, normal(2, 0), normal(3, 0)),
    *[Row(np.outer, normal(*a), normal(*b)) for a, b in SMALL],
    Row(np.outer, 2.0, normal(3)),
    Row(np.outer, numbers(2), b=normal(3)),
    *[Row(np.kron, normal(*a), normal(*b)) for a, b in [*SMALL, ((2, 3), (4, 5)), ((2, 3), (2, 1, 2))]],
    Row(np.tensordot, normal(3, 4), normal(4, 2), 1),
    Row(np.tensordot, normal(2, 3, 4), normal(3, 4, 5)),
    Row(np.tensordot, normal(2, 3, 4), normal(4, 5, 2), axes=([0, -1], [-1, 0])),
    Row(np.tensordot, normal(2, 3, 4), normal(4, 2, 3, 5), axes=([2, 0, 1], [0, 1, 2])),
    Row(np.tensordot, normal(2, 3), normal(4, 5), 0),
    Row(np.tensordot, normal(2, 3), normal(4, 3), (1, 1)),
    Row(np.tensordot, normal(2, 3), normal(2, 3)),
    Row(np.tensordot, normal(2, 0), normal(0, 3), 1),
    *[Row(np.einsum, s, *map(lambda shape: normal(*shape), shapes)) for s, *shapes in EINSUM],
    *[
        Row(np.einsum, s, *map(lambda shape: normal(*shape), shapes), optimize=True)
        for s, *shapes in EINSUM
        if len(shapes) > 1
    ],
    Row(
        np.einsum, "ij,jk,k", normal(2, 3), normal(3, 4), normal(4), optimize=["einsum_path", (1, 2), (0, 1)]
    ),
    *[Row(np.cross, normal(*a), normal(*b), **kw) for a, b, kw in CROSS],
    Row(np.linalg.multi_dot, [normal(2, 3), normal(3)]),
    Row(np.linalg.multi_dot, [normal(2, 3), normal(3, 4), normal(4, 5)]),
    Row(np.linalg.multi_dot, (normal(3), normal(3, 4), normal(4, 5))),
    Row(np.linalg.multi_dot, [normal(3), normal(3, 4), normal(4)]),
    Row(np.linalg.multi_dot, [normal(2, 3), normal(3, 4), normal(4, 5), normal(5)]),
]


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_products(row: Row) -> None:
    check(row)


def test_every_rule_has_a_row() -> None:
    assert not uncovered(ROWS, "myia.adjoint.rules.products")


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0", reason="NumPy 2.5 takes vectors of three elements only"
)
@pytest.mark.parametrize("a, b", [((2,), (3,)), ((4, 3), (4, 2)), ((4, 2), (4, 2)), ((2,), (2,))])
def test_cross_of_planar_vectors(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        check(Row(np.cross, normal(*a), normal(*b)))


def test_einsum_gives_an_integer_operand_no_adjoint() -> None:
    d_operands = run_rule(np.einsum, ("i,i", normal(2), np.array([1, 2])), 2.0, "operands")
    assert d_operands[1] == 0.0
    np.testing.assert_allclose(d_operands[0], [2.0, 4.0])


def test_einsum_with_lists_of_labels_is_refused() -> None:
    a, b = normal(2, 3), normal(3)
    with pytest.raises(MissingRule, match="labels"):
        run_rule(np.einsum, (a, [0, 1], b, [1]), normal(2), "operands")
    with pytest.raises(MissingRule, match="labels"):
        run_rule(np.einsum, (a, [0, 1], b, [1]), normal(2), "subscripts")


def test_unsupported_parameters_do_not_bind() -> None:
    for key, keywords in [(np.matmul, {"out": None}), (np.dot, {"out": None}), (np.einsum, {"dtype": float})]:
        with pytest.raises(TypeError):
            RULES[key].bind(normal(2), normal(2), **keywords)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 4), (0, 3), (300, 200)])
def test_vector_outer(sizes: tuple[int, int]) -> None:
    u, v = normal(sizes[0]), normal(sizes[1])
    np.testing.assert_array_equal(rt.vector_outer(u, v), np.outer(u, v))
