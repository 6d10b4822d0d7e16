"""The three ways in which the runtime runs a kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from myia import _runtime


def restore() -> None:
    _runtime.set_inline_limit(INLINE_LIMIT)
    _runtime.set_split_size(1 << 17)
    _runtime.set_order("fifo")
    if _runtime.workers() != 2:
        _runtime.set_workers(2)
    _runtime.wait_all()


INLINE_LIMIT = _runtime.inline_limit()


@pytest.fixture(scope="module", params=["inline", "queued", "split"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """At once in the caller; submitted to the workers; submitted in many small parts."""
    _runtime.set_workers(2)
    if request.param != "inline":
        _runtime.set_inline_limit(0)
    if request.param == "split":
        _runtime.set_split_size(8)
        _runtime.set_workers(3)
    yield request.param
    restore()


@pytest.fixture(autouse=True, scope="module")
def defaults() -> Iterator[None]:
    """Whatever a test sets, the next module finds the runtime as it was."""
    restore()
    yield
    restore()
