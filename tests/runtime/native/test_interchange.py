"""The memory is NumPy's too: no copies on the way in and out, by any protocol."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import myia
from myia import _runtime
from myia._runtime import Array
from tests.runtime.native.arrays import DTYPES, Made, agree, limited, made, same

pytestmark = pytest.mark.usefixtures("mode")


@given(st.data())
@limited(50)
def test_no_copies(data: st.DataObject) -> None:
    x = data.draw(made()).numpy()
    a = myia.asarray(x)
    same(a, x)
    assert a.shape == x.shape
    assert a.strides == x.strides
    assert (a.ndim, a.size, a.itemsize, a.nbytes, a.dtype) == (x.ndim, x.size, x.itemsize, x.nbytes, x.dtype)
    for back in (np.asarray(a), np.array(a, copy=False), a.__array__(), np.asarray(a, dtype=a.dtype)):
        assert back.flags.writeable == x.flags.writeable
        if x.size:
            long = [n for n, size in zip(x.strides, x.shape, strict=True) if size > 1]
            assert [n for n, size in zip(back.strides, x.shape, strict=True) if size > 1] == long
            assert np.shares_memory(back, x)
            assert myia.asarray(back).shares_storage(a)
    if x.size:
        assert not np.shares_memory(np.array(a), x)
    assert a.__array_interface__["data"] == x.__array_interface__["data"]
    assert a.__array_interface__["typestr"] == x.__array_interface__["typestr"]


@given(st.data())
@limited(30)
def test_views_of_exported_views(data: st.DataObject) -> None:
    recipe = data.draw(made(least=1, writable=True, special=False))
    a = recipe.array()
    if not a.size:
        return
    view = np.asarray(a)[..., ::-1].T[1:]
    again = myia.asarray(view)
    if view.size:
        assert again.shares_storage(a)
        assert np.shares_memory(np.asarray(again), np.asarray(a))
    same(again, view)


def test_writes_are_seen_on_both_sides() -> None:
    x = np.zeros(5)
    a = myia.asarray(x)
    a += 1.0
    a.wait()
    assert x.tolist() == [1.0] * 5
    x[2] = 7.0
    assert a[2] == 7.0
    view = np.asarray(a)
    a[0] = 3.0
    a.wait()
    assert view[0] == 3.0


def test_an_exported_view_may_be_written_at_once() -> None:
    a = myia.asarray(np.zeros(100_000)) + 1.0
    for k in range(30):
        view = np.asarray(a)
        result = myia.asarray(np.ones(100_000)) + view
        whole = myia.asarray(np.ones(100_000, "c16")) + view
        copied = _runtime.empty((100_000,), "f8")
        copied[...] = view
        expected = view[-1]
        view[:] = float(k)
        assert result[-1] == whole[-1] == expected + 1.0
        assert copied[-1] == expected


def test_pickled_out_of_band() -> None:
    x = np.arange(1000.0)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(myia.asarray(x), 5, buffer_callback=buffers.append)
    assert len(data) < 1000
    assert np.shares_memory(np.asarray(pickle.loads(data, buffers=buffers)), x)  # noqa: S301


def test_what_an_array_cannot_hold() -> None:
    for wrong in (
        np.zeros(2, "O"),
        np.zeros(2, "U3"),
        np.zeros(2, "M8[s]"),
        np.zeros(2, "g"),
        np.zeros(2, "i4,f8"),
        ["a"],
        object(),
    ):
        with pytest.raises(TypeError):
            myia.asarray(wrong)
    with pytest.raises(ValueError, match="8"):
        myia.asarray(np.zeros((1,) * 9))
    with pytest.raises(ValueError, match="inhomogeneous"):
        myia.asarray([[1], [1, 2]])
    with pytest.raises(TypeError):
        Array()


@pytest.mark.parametrize("dtype", [str(d) for d in DTYPES])
def test_swapped_and_unaligned_memory(dtype: str) -> None:
    x = Made(np.dtype(dtype), (6,), 1, "C").base()
    same(myia.asarray(x.astype(x.dtype.newbyteorder())), x)
    raw = np.zeros(x.nbytes + 1, np.uint8)
    crooked = raw[1:].view(x.dtype)
    crooked[:] = x
    same(myia.asarray(crooked), x)
    same(myia.asarray(x) == crooked, x == crooked)
    same(myia.asarray(x.tolist()), np.asarray(x.tolist()))


@given(st.data())
@limited(30)
def test_dlpack(data: st.DataObject) -> None:
    x = data.draw(made(writable=True)).numpy()
    a = myia.asarray(x)
    assert a.__dlpack_device__() == (1, 0)
    out = np.from_dlpack(a)
    same(out, x)
    back = _runtime.from_dlpack(x)
    same(back, x)
    if x.size:
        assert np.shares_memory(out, x)
        assert np.shares_memory(np.asarray(back), x)
    same(myia.from_dlpack(a), x)


@given(st.data())
@limited(20)
def test_array_protocol(data: st.DataObject) -> None:
    x = data.draw(made([np.dtype("i4"), np.dtype("f4")], special=False)).numpy()
    a = myia.asarray(x)
    same(a.__array__(), x)
    same(a.__array__("f8"), np.array(x, "f8"))
    same(a.__array__(None, copy=True), np.array(x))
    same(a.__array__(dtype="c16", copy=None), np.array(x, "c16"))
    agree(lambda: np.array(a, dtype="c8", copy=False), lambda: np.array(x, dtype="c8", copy=False))
    agree(lambda: np.array([a, a]), lambda: np.array([x, x]))
    agree(lambda: np.array(a, order="F"), lambda: np.array(x, order="F"))


def test_an_export_keeps_the_memory() -> None:
    view = np.asarray(myia.asarray(np.arange(1000.0)) * 2.0)
    dlpack = np.from_dlpack(myia.asarray(np.arange(1000.0)) * 2.0)
    part = (myia.asarray(np.arange(1000.0)) * 2.0)[5:10]
    gc.collect()
    [myia.asarray(np.arange(1000.0)) * 3.0 for _ in range(50)]
    assert view[999] == dlpack[999] == 1998.0
    assert part.tolist() == [10.0, 12.0, 14.0, 16.0, 18.0]


def test_weak_references_and_hashes() -> None:
    import weakref

    a = myia.asarray(np.arange(3.0)) + 1.0
    reference = weakref.ref(a)
    assert reference() is a
    del a
    assert reference() is None
    with pytest.raises(TypeError, match="unhashable"):
        hash(myia.asarray(np.arange(3.0)))


# -- marks, buffers, attributes -------------------------------------------------------------------------------


def test_marks() -> None:
    a = myia.asarray(np.arange(4.0))
    assert a.mark_read() is a
    a.unmark_read()
    a += 1.0
    assert a.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_buffers() -> None:
    x = np.arange(6.0).reshape(2, 3)
    a = myia.asarray(x)
    assert bytes(memoryview(a)) == x.tobytes()
    assert a.tobytes() == x.tobytes()
    assert memoryview(a).shape == (2, 3)
    assert memoryview(_runtime.broadcast_to(a, (2, 2, 3))).readonly
    memoryview(a)[1, 2] = 8.0
    assert x[1, 2] == 8.0
    with pytest.raises((BufferError, ValueError)):
        np.frombuffer(a[:, ::2])


def test_attributes_of_ndarray() -> None:
    x = np.arange(6.0).reshape(2, 3)
    a: Any = myia.asarray(x)
    for name in ("flat", "ctypes", "data", "flags", "real", "imag", "device", "mT"):
        assert hasattr(a, name) == hasattr(x, name), name
    assert a.flags.c_contiguous
    assert a.item(3) == 3.0
    assert a.tolist() == x.tolist()
    assert a.argmax() == 5
    same(a.cumsum(1), x.cumsum(1))
    same(a.clip(1, 3), x.clip(1, 3))
    same(a.take([1, 2]), x.take([1, 2]))
    same(a.diagonal(), x.diagonal())
    same(a.round(1), x.round(1))
    a.flat[2] = 9.0
    assert x[0, 2] == 9.0
    a.sort(axis=0)
    x.sort(axis=0)
    same(a, x)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        a.nonsense  # noqa: B018
