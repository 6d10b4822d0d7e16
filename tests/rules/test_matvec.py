"""`rt.matvec` is `np.matmul`, bit for bit, whatever the layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myia import runtime as rt


@given(
    rows=st.integers(0, 40),
    columns=st.integers(0, 40),
    dtype=st.sampled_from([np.float64, np.float32, np.int64]),
    layout=st.sampled_from(["C", "F", "rows reversed", "columns strided", "vector strided"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_same_bits_as_matmul(rows, columns, dtype, layout, seed):
    random = np.random.default_rng(seed)
    a = (random.normal(size=(2 * rows, 2 * columns)) * 100).astype(dtype)
    x = (random.normal(size=2 * columns) * 100).astype(dtype)
    a, x = {
        "C": (a[:rows, :columns].copy(), x[:columns].copy()),
        "F": (np.asfortranarray(a[:rows, :columns]), x[:columns].copy()),
        "rows reversed": (a[:rows, :columns].copy()[::-1], x[:columns].copy()),
        "columns strided": (a[:rows, ::2], x[:columns].copy()),
        "vector strided": (a[:rows, :columns].copy(), x[::2]),
    }[layout]

    product = rt.matvec(a, x)

    assert product.dtype == (a @ x).dtype
    assert product.tobytes() == (a @ x).tobytes()


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="mismatch|not aligned"):
        rt.matvec(np.ones((2, 3)), np.ones(2))
