"""Matrix products: NumPy's bits where NumPy's own loop serves, NumPy's rounding elsewhere."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
import myia.runtime as rt
from myia import _runtime
from myia.runtime import products as on_ndarrays
from tests.runtime.native.arrays import DTYPES, FLOATS, Made, agree, limited, made, outcome, same, values

pytestmark = pytest.mark.usefixtures("mode")

MATRICES = [*FLOATS, np.dtype("c8"), np.dtype("c16")]
SIDES = st.sampled_from([0, 1, 1, 2, 3, 5, 8])


@st.composite
def pairs(draw: st.DrawFn, dtypes: Any = MATRICES) -> tuple[Made, Made]:
    """Two that fit together, mostly: vectors, matrices and stacks of them."""
    m, k, n = draw(SIDES), draw(SIDES), draw(SIDES)
    batch = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=2))
    other = [draw(st.sampled_from([n, 1])) for n in batch][draw(st.integers(0, 2)) :]
    left = draw(st.sampled_from([(k,), (m, k), (m, k), (*batch, m, k)]))
    right = draw(st.sampled_from([(k,), (k, n), (k, n), (*other, k, n)]))
    if draw(st.integers(0, 9)) == 0:
        right = draw(st.sampled_from([(k + 1,), (k + 1, n), ()]))
    dtype = draw(st.sampled_from(dtypes))
    second = dtype if draw(st.integers(0, 3)) else draw(st.sampled_from(dtypes))
    return draw(made([dtype], left, special=False)), draw(made([second], right, special=False))


@given(pairs())
@limited(70)
def test_small_products_have_numpys_bits(pair: tuple[Made, Made]) -> None:
    a, b = pair
    for product in (operator.matmul, np.matmul):
        agree(lambda p=product: p(a.array(), b.array()), lambda p=product: p(a.numpy(), b.numpy()))  # type: ignore[misc]
    agree(lambda: rt.matmul(a.array(), b.array()), lambda: np.matmul(a.numpy(), b.numpy()))
    agree(lambda: a.array() @ b.numpy(), lambda: a.numpy() @ b.numpy())
    agree(lambda: a.numpy() @ b.array(), lambda: a.numpy() @ b.numpy())


def close(result: Any, expected: Any, k: int) -> None:
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    assert isinstance(result, np.generic) == isinstance(expected, np.generic)
    scale = np.finfo(expected.dtype).eps * max(k, 1) * 100
    np.testing.assert_allclose(np.asarray(result), expected, rtol=scale, atol=scale)


@given(pairs())
@limited(40)
def test_dot(pair: tuple[Made, Made]) -> None:
    a, b = pair
    for run, numpy in (
        (lambda: rt.dot(a.array(), b.array()), lambda: np.dot(a.numpy(), b.numpy())),
        (lambda: a.array().dot(b.array()), lambda: a.numpy().dot(b.numpy())),
        (lambda: np.dot(a.array(), b.array()), lambda: np.dot(a.numpy(), b.numpy())),
    ):
        expected, found = outcome(numpy), outcome(run)
        assert type(found.error) is type(expected.error), (found, expected)
        if expected.error is None:
            close(found.value, expected.value, 8)


@given(pairs(DTYPES))
@limited(20)
def test_other_dtypes(pair: tuple[Made, Made]) -> None:
    a, b = pair
    agree(lambda: a.array() @ b.array(), lambda: a.numpy() @ b.numpy())


@pytest.mark.parametrize("other", [2, 2.0, None, "x", [1.0, 2.0], np.float64(2), np.ones(2, "O")], ids=repr)
def test_other_operands(other: Any) -> None:
    x = np.ones((2, 2))
    for first in (True, False):
        expected = outcome(lambda: x @ other if first else other @ x)  # noqa: B023
        found = outcome(lambda: myia.asarray(x) @ other if first else other @ myia.asarray(x))  # noqa: B023
        assert type(found.error) is type(expected.error), (first, found, expected)
        if expected.error is None:
            assert np.array_equal(np.asarray(found.value), expected.value)


def test_in_place() -> None:
    x, y = (
        values(np.dtype("f8"), 9, 1, False).reshape(3, 3),
        values(np.dtype("f8"), 9, 2, False).reshape(3, 3),
    )
    a, kept = myia.asarray(x.copy()), x.copy()
    same_object = a
    a @= myia.asarray(y)
    kept @= y
    assert a is same_object
    same(a, kept)
    out = myia.asarray(np.zeros((3, 3)))
    assert np.matmul(myia.asarray(x), y, out=out) is out
    same(out, x @ y)


LARGE = [
    (70, 80, 90),
    (1, 20000, 1),
    (300, 300, 1),
    (1, 300, 300),
    (257, 33, 129),
    (2000, 3, 70),
    (32, 1500, 2),
    (500, 1, 600),
]


@pytest.mark.parametrize("size", LARGE, ids=str)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_large_products(size: tuple[int, int, int], dtype: str) -> None:
    m, k, n = size
    for left, right in (("C", "C"), ("F", "steps"), ("steps", "F"), ("reversed", "broadcast")):
        a, b = values(np.dtype(dtype), m * k * 2, 1, False), values(np.dtype(dtype), k * n * 2, 2, False)
        x = {
            "C": a[: m * k].reshape(m, k), "F": a[: m * k].reshape(k, m).T, "steps": a.reshape(m, 2 * k)[:, ::2],
            "reversed": a[: m * k].reshape(m, k)[::-1, ::-1],
        }[left]  # fmt: skip
        y = {
            "C": b[: k * n].reshape(k, n), "F": b[: k * n].reshape(n, k).T, "steps": b.reshape(2 * k, n)[::2],
            "broadcast": np.broadcast_to(b[:n], (k, n)),
        }[right]  # fmt: skip
        close(myia.asarray(x) @ myia.asarray(y), x @ y, k)
    close(myia.asarray(x) @ myia.asarray(x).T, x @ x.T, k)
    close(myia.asarray(x[0]) @ myia.asarray(y), x[0] @ y, k)
    close(myia.asarray(x) @ myia.asarray(y[:, 0]), x @ y[:, 0], k)
    close(myia.asarray(x[0]) @ myia.asarray(y[:, -1]), x[0] @ y[:, -1], k)


@pytest.mark.parametrize("shape", [(9, 40, 50), (100, 16, 16), (2, 3, 64, 64), (1000, 2, 2)])
def test_stacks(shape: tuple[int, ...]) -> None:
    x = values(np.dtype("f8"), int(np.prod(shape)), 1, False).reshape(shape)
    y = np.swapaxes(x, -1, -2)
    close(myia.asarray(x) @ myia.asarray(y), x @ y, shape[-1])
    close(myia.asarray(x) @ myia.asarray(y[0]), x @ y[0], shape[-1])
    close(
        myia.asarray(x) @ myia.asarray(x.reshape(-1)[: shape[-1]]), x @ x.reshape(-1)[: shape[-1]], shape[-1]
    )


def test_specials() -> None:
    x = values(np.dtype("f8"), 36, 1).reshape(6, 6)
    with np.errstate(all="ignore"):
        same(myia.asarray(x) @ myia.asarray(x), x @ x)
        big = np.tile(x, (20, 20))
        result, expected = myia.asarray(big) @ myia.asarray(big), big @ big
        assert np.array_equal(np.isnan(result), np.isnan(expected))


@given(st.data())
@limited(40)
def test_matmul_into(data: st.DataObject) -> None:
    a, b = data.draw(pairs())
    product = outcome(lambda: a.numpy() @ b.numpy())
    shape = product.value.shape if product.error is None else (2, 2)
    out = data.draw(made([a.dtype], shape, special=False, writable=True))

    def numpy() -> Any:
        x = out.numpy()
        return np.add(x, a.numpy() @ b.numpy(), out=x)

    def run() -> Any:
        x = out.array()
        result = _runtime.matmul_into(x, a.array(), b.array())
        assert result is x
        return x

    expected, found = outcome(numpy), outcome(run)
    assert type(found.error) is type(expected.error), (found, expected)
    if expected.error is None:
        close(np.asarray(found.value), np.asarray(expected.value), 20)


def test_matmul_into_itself_and_read_only() -> None:
    x = values(np.dtype("f8"), 16, 1, False).reshape(4, 4)
    a = myia.asarray(x.copy())
    _runtime.matmul_into(a, a, a)
    close(a, x + x @ x, 4)
    a = myia.asarray(x.copy())
    _runtime.matmul_into(a, a.T, myia.asarray(x))
    close(a, x + x.T @ x, 4)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _runtime.matmul_into(myia.asarray(x), a, a)
    with pytest.raises(TypeError):
        _runtime.matmul_into(np.ones((4, 4)), a, a)  # type: ignore[arg-type]


def test_a_sum_of_many_products() -> None:
    x, y = (
        values(np.dtype("f8"), 3000, 1, False).reshape(50, 60),
        values(np.dtype("f8"), 4200, 2, False).reshape(60, 70),
    )
    out, expected = myia.asarray(np.zeros((50, 70))), np.zeros((50, 70))
    for _ in range(30):
        _runtime.matmul_into(out, myia.asarray(x), myia.asarray(y))
        expected += x @ y
    close(out, expected, 2000)


@given(st.data())
@limited(20)
def test_vector_outer(data: st.DataObject) -> None:
    u, v = data.draw(made(FLOATS, least=1, most=1)), data.draw(made(FLOATS, least=1, most=1))
    agree(
        lambda: rt.vector_outer(u.array(), v.array()), lambda: on_ndarrays.vector_outer(u.numpy(), v.numpy())
    )


def test_threads_multiply_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    x = values(np.dtype("f8"), 200 * 200, 1, False).reshape(200, 200)
    expected = x @ x

    def work(_: int) -> float:
        a = myia.asarray(x)
        return float(np.abs(np.asarray(a @ a) - expected).max())

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(work, range(24))) < 1e-9
