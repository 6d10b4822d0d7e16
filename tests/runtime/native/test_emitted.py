"""Emitted code computes on Arrays; what it shows to the user's code are NumPy arrays."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from functools import partial
from typing import Any

import numpy as np
import pytest

import myia
from myia import _runtime, grad, value_and_grad
from myia.errors import UnsupportedMutation

X = np.arange(1.0, 5.0)
KEPT = np.arange(1.0, 5.0)
INLINE_LIMIT = _runtime.inline_limit()


def same(a: Any, b: Any) -> Any:
    return np.sum(a * a) if a is b else 100.0 * np.sum(a * b)


def not_same(a: Any, b: Any) -> Any:
    return 100.0 * np.sum(a * b) if a is not b else np.sum(a * a)


def is_global(a: Any) -> Any:
    return np.sum(a * a) if a is KEPT else np.sum(a)


def is_itself(a: Any) -> Any:
    b = a * 2.0
    c = b
    return np.sum(b * a) if c is b else np.sum(a)


def of_class(a: Any) -> Any:
    return np.sum(a * a) if a.__class__ is np.ndarray and type(a) is np.ndarray else np.sum(a)


def test_identity_is_that_of_the_numpy_arrays() -> None:
    assert np.array_equal(grad(same)(X, X), 2 * X)
    assert np.array_equal(grad(not_same)(X, X), 2 * X)
    assert np.array_equal(grad(same)(X, X.copy()), 100 * X)
    assert np.array_equal(grad(is_global)(KEPT), 2 * KEPT)
    assert np.array_equal(grad(is_global)(X), np.ones(4))
    assert np.array_equal(grad(is_itself)(X), 4 * X)
    assert np.array_equal(grad(of_class)(X), 2 * X)


def test_identity_of_containers() -> None:
    items = [X]
    assert np.array_equal(grad(same_list)(X, items, items), 2 * X)
    assert np.array_equal(grad(same_list)(X, items, [X]), np.ones(4))
    items.append(items)  # type: ignore[arg-type]
    assert np.array_equal(grad(first)(X, items), X)


def same_list(a: Any, p: Any, q: Any) -> Any:
    return np.sum(a * a) if p is q else np.sum(a)


def first(a: Any, items: Any) -> Any:
    return np.sum(a * items[0])


def score(v: Any) -> float:
    return float(np.sum(v)) if isinstance(v, np.ndarray) else -float(np.sum(v))


def largest(a: Any, items: Any) -> Any:
    return np.sum(a * max(items, key=score))


class Asked:
    """Answers operators by what it is given."""

    def __lt__(self, other: Any) -> float:
        return 3.0 if isinstance(other, np.ndarray) else 5.0


def asked(a: Any, other: Any, answers: Any) -> Any:
    return np.sum(a * a) * (answers < other)


def test_user_code_sees_numpy_arrays() -> None:
    assert np.array_equal(grad(largest)(X, [X, 2 * X]), 2 * X)
    assert np.array_equal(grad(asked)(X, 2 * X, Asked()), 6 * X)


REVERSE = partial(list.reverse)


def reversed_by_another(a: Any, write: Any) -> Any:
    orders = [np.argsort(a), np.argsort(-a)]
    write(orders)
    return np.sum(a * orders[0])


def test_a_write_into_a_converted_list_is_refused() -> None:
    with pytest.raises(UnsupportedMutation, match="writes into a list or dictionary of arrays"):
        grad(reversed_by_another)(X, REVERSE)
    assert np.array_equal(grad(reversed_by_another)(X, partial(len)), np.argsort(X))


Pair = namedtuple("Pair", "w b")


class Doubled(Pair):
    def __new__(cls, w: Any) -> Doubled:
        return super().__new__(cls, w, w * 2)


def of_pair(a: Any, pair: Any) -> Any:
    return np.sum(a * pair.w + a * pair.b)


def test_named_tuples_with_constructors_of_their_own() -> None:
    assert np.array_equal(grad(of_pair)(X, Doubled(X)), 3 * X)


def no_axes(a: Any) -> Any:
    return np.sum(a * a, keepdims=True).reshape(())


def square(a: Any) -> Any:
    return np.sum(a * a)


def test_values_and_dtypes_are_numpys() -> None:
    value, gradient = value_and_grad(no_axes)(X)
    assert not isinstance(value, myia.Array)
    assert np.array_equal(gradient, 2 * X)
    assert grad(square)(np.ones(3, ">f8")).dtype == np.dtype(">f8")
    assert grad(square)(np.ones(3, "f4")).dtype == np.dtype("f4")


def test_arrays_in_arrays_out() -> None:
    a = myia.asarray(X)
    gradient = grad(square)(a)
    assert isinstance(gradient, myia.Array)
    assert np.array_equal(gradient, 2 * X)
    both = grad(same, wrt=(0, 1))(a, myia.asarray(X.copy()))
    assert not np.shares_memory(np.asarray(both[0]), np.asarray(both[1]))


def test_a_view_given_away_is_read_after_what_is_queued() -> None:
    _runtime.set_inline_limit(0)
    for _ in range(20):
        a = myia.asarray(np.ones(200_000)) + 0.0
        view = np.asarray(a)
        b = myia.asarray(np.zeros(200_000)) + 0.0
        a += 1.0
        assert np.asarray(b + view)[-1] == 2.0
    _runtime.set_inline_limit(INLINE_LIMIT)


def test_all_views_of_one_memory_have_one_storage() -> None:
    x = np.zeros((4, 6))
    a, b, c = myia.asarray(x), myia.asarray(x[1:, ::2]), myia.asarray(x.T)
    assert a.shares_storage(b)
    assert a.shares_storage(c)
    assert not a.shares_storage(myia.asarray(x.copy()))


def test_work_on_one_memory_keeps_its_order() -> None:
    """By whatever way one comes to it: two Arrays of an ndarray, views, results of functions on the host."""
    _runtime.set_inline_limit(0)
    try:
        x = np.zeros(300_000)
        made = _runtime.host(np.ones)(300_000)
        for a, other in (
            (myia.asarray(x), lambda: myia.asarray(x[10:])),
            (myia.asarray(x), lambda: x[10:]),
            (made, lambda: _runtime.host(np.reshape)(made, (1000, 300))),
            (made, lambda: np.asarray(made)[5:]),
        ):
            start = float(a[-1])
            view = other()
            for _ in range(60):
                a += 1.0
            later = myia.asarray(np.zeros(())) + view if isinstance(view, np.ndarray) else view + 0.0
            assert np.asarray(later).flat[-1] == start + 60
    finally:
        _runtime.set_inline_limit(INLINE_LIMIT)


def test_products_report_overflow() -> None:
    a = myia.asarray(np.full((8, 8), 1e200))
    with pytest.warns(RuntimeWarning, match="overflow encountered in matmul"):
        a @ a  # noqa: B018
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        a @ a  # noqa: B018


def reciprocal(a: Any) -> Any:
    return np.sum(np.where(a > 0.0, 1.0 / np.where(a > 0.0, a, 1.0), 0.0))


def test_what_is_left_out_gives_no_warning() -> None:
    assert np.array_equal(grad(reciprocal)(np.array([0.0, 2.0])), [0.0, -0.25])


def test_sizes_beyond_memory_are_refused() -> None:
    a = myia.asarray(np.broadcast_to(1.0, (2**31,)))
    with pytest.raises(ValueError, match="array is too big"):
        a[:, None] * a[None, :]  # noqa: B018


FIRST_PRODUCT = """
import numpy as np, myia
a = myia.asarray(np.ones((120, 120)))
assert (a @ a)[0, 0] == 120.0
"""


def test_the_first_product_of_a_process() -> None:
    for _ in range(5):
        subprocess.run([sys.executable, "-c", FIRST_PRODUCT], check=True, timeout=60)


FIRST_SUMS = """
import sys, threading
import numpy as np, myia
sys.setswitchinterval(1e-6)
a = myia.asarray(np.ones(1000))
found = []
threads = [threading.Thread(target=lambda: found.append(a.sum() + a.mean())) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
assert found == [1001.0] * 8
"""


def test_the_first_sums_of_several_threads() -> None:
    for _ in range(5):
        subprocess.run([sys.executable, "-c", FIRST_SUMS], check=True, timeout=60)
