"""Private copies of what a function writes into: same aliases, other memory; what is shared is refused."""

from __future__ import annotations

import os
from collections import OrderedDict, defaultdict, deque
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from myia import Array, asarray
from myia.errors import UnsupportedMutation
from myia.runtime.native import ARRAYS
from myia.runtime.private import private

EXAMPLES = int(os.environ.get("MYIA_FUZZ", "200"))


class Pair(NamedTuple):
    a: Any
    b: Any


class Thing:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("a",)


class Immutable(Thing):
    def __copy__(self) -> Immutable:
        return self


def copy_of(x: Any) -> Any:
    return private((x,), ("x",), (True,))[0]


@pytest.mark.parametrize(
    "dtype, native",
    [(kind, native) for kind in (np.float64, np.float32, int, bool) for native in (False, True)],
)
@pytest.mark.parametrize(
    "view", [np.s_[...], np.s_[::-1], np.s_[:, ::2], np.s_[1], np.s_[0:0], np.s_[:, :1], np.s_[1, 2]], ids=str
)
def test_arrays(view: Any, dtype: Any, native: bool) -> None:
    x = np.arange(12).reshape(3, 4).astype(dtype)[view]
    x = np.asarray(x) if np.ndim(x) else np.array(x)
    given_x = asarray(x) if native else x
    made = copy_of(given_x)
    assert type(made) is type(given_x)
    assert made.dtype == x.dtype
    assert np.array_equal(made, x)
    assert np.asarray(made).flags.c_contiguous
    assert not np.shares_memory(np.asarray(made), x)


@pytest.mark.parametrize("wrap", [np.asarray, asarray])
def test_fortran_order_stays(wrap: Any) -> None:
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    made = copy_of(wrap(x))
    assert made.strides == x.strides
    assert np.array_equal(made, x)


@pytest.mark.parametrize("wrap", [np.asarray, asarray])
def test_read_only_stays_read_only(wrap: Any) -> None:
    x = np.ones(3)
    x.flags.writeable = False
    for given_x in (x, np.broadcast_to(np.ones(1), (3,)), [x][0][:2]):
        made = copy_of(wrap(given_x))
        assert np.array_equal(made, given_x)
        with pytest.raises(ValueError, match="read-only"):
            made[0] = 2.0


def test_the_elements_of_a_copy_have_a_place_each() -> None:
    """Then each has an adjoint of its own."""
    assert copy_of(np.broadcast_to(np.ones(1), (3,))).strides == (8,)


@pytest.mark.parametrize("strides", [(8, 8), (0, 8)])
def test_a_window_that_overlaps_itself_is_refused(strides: tuple[int, int]) -> None:
    x = np.lib.stride_tricks.as_strided(np.arange(5.0), (3, 3), strides)
    with pytest.raises(UnsupportedMutation, match="several elements in one place"):
        copy_of(x)


def test_what_is_not_written_is_given_back() -> None:
    x, y, items = np.ones(2), asarray(np.ones(2)), [1.0]
    assert private((x, y, items), ("x", "y", "items"), (False,) * 3)[0] is x
    found = private((x, y, items, 2.0), ("x", "y", "items", "n"), (False, True, False, True))
    assert found[0] is x
    assert found[1] is not y
    assert found[2] is items
    assert found[3] == 2.0


def test_donated_is_not_copied() -> None:
    x, y = np.ones(2), np.ones(2)
    found = private((x, y), ("x", "y"), (True, True), (True, False))
    assert found[0] is x
    assert found[1] is not y


def test_containers_are_copied_all_the_way() -> None:
    array, inner = np.ones(2), [1.0]
    thing = Thing(array=array, inner=inner, name="n", function=len)
    slotted = Slotted()
    slotted.a = inner
    x = [
        array,
        inner,
        (inner, 2.0),
        {"k": inner, "t": thing},
        deque([array], 3),
        Pair(inner, 1.0),
        {1, 2},
        slotted,
    ]
    made = copy_of(x)
    assert [type(item) for item in made] == [type(item) for item in x]
    assert made[0] is not array
    assert made[1] is not inner
    copies = [made[2][0], made[3]["k"], made[3]["t"].inner, made[5].a, made[7].a]
    assert all(one is made[1] for one in copies)
    assert made[3]["t"].array is made[0] is made[4][0]
    assert made[4].maxlen == 3
    assert made[3]["t"] is not thing
    assert made[3]["t"].function is len
    made[1].append(2.0)
    made[0][0] = 5.0
    made[6].add(3)
    made[3]["t"].name = "m"
    assert inner == [1.0]
    assert array[0] == 1.0
    assert x[6] == {1, 2}
    assert thing.name == "n"


def test_kinds_of_dictionaries_stay() -> None:
    x = [defaultdict(list, a=[1.0]), OrderedDict(b=[2.0], a=[1.0]), type("L", (list,), {})([[1.0]])]
    made = copy_of(x)
    assert [type(item) for item in made] == [type(item) for item in x]
    assert made[0]["new"] == []
    assert list(made[1]) == ["b", "a"]
    made[1]["b"].append(1.0)
    made[2][0].append(1.0)
    assert x[1]["b"] == [2.0]
    assert x[2][0] == [1.0]


def test_a_container_in_itself() -> None:
    x: list = [1.0]
    x.append(x)
    thing = Thing(items=x)
    thing.me = thing
    made = copy_of(thing)
    assert made.me is made
    assert made.items[1] is made.items
    assert made.items is not x


def test_values_are_themselves() -> None:
    values = ("text", None, len, (1.0, "t"), np.random.default_rng(0), range(3))
    made = copy_of(list(values))
    assert all(a is b for a, b in zip(made, values))


UNCOPIED = [[Immutable(a=1.0)], np.ones(2).astype(object), {"k": np.array([None])}]


@pytest.mark.parametrize("x", UNCOPIED, ids=["object", "array", "array in a dictionary"])
def test_what_cannot_be_copied_is_refused(x: Any) -> None:
    with pytest.raises(UnsupportedMutation, match=r"cannot be copied|Python objects"):
        copy_of(x)


@pytest.mark.parametrize("wrap", [np.asarray, asarray])
def test_views_in_one_argument_stay_views(wrap: Any) -> None:
    whole = wrap(np.arange(12.0).reshape(3, 4))
    x = {"whole": whole, "row": whole[1], "turned": whole.T[::-1], "again": whole, "apart": wrap(np.zeros(2))}
    made = copy_of(x)
    made["row"][2] = 50.0
    made["turned"][0, 0] = 60.0
    assert made["whole"][1, 2] == 50.0
    assert made["whole"][0, 3] == 60.0
    assert made["again"] is made["whole"]
    assert made["whole"].strides == whole.strides
    assert np.array_equal(whole, np.arange(12.0).reshape(3, 4))
    assert not np.shares_memory(np.asarray(made["apart"]), np.asarray(made["whole"]))


def test_views_of_other_dtypes_stay_views() -> None:
    x = np.zeros(3)
    made = copy_of([x, x.view(np.int64), x[1:].view(np.uint8)[3:]])
    made[1][0] = np.array(1.5).view(np.int64)
    assert made[0][0] == 1.5
    assert made[2].tobytes() == np.asarray(made[0])[1:].tobytes()[3:]


def test_shared_objects_are_refused() -> None:
    x = np.array([1.0, "t"], object)
    with pytest.raises(UnsupportedMutation):
        copy_of([x, x[1:]])


# -- what is shared -----------------------------------------------------------------------------------

_whole = np.arange(6.0)
_inner: list = [1.0]
_thing = Thing(a=1.0)
SHARED: dict[str, tuple[Any, Any]] = {
    "same": (_whole, _whole),
    "view": (_whole, _whole[2:4]),
    "overlap": (_whole[:4], _whole[3:]),
    "array_and_ndarray": (asarray(_whole), _whole),
    "in_a_list": ([1.0, [_whole[1:]]], _whole[:2]),
    "in_an_object": (Thing(a={"k": _whole}), (_whole,)),
    "list": (_inner, _inner),
    "list_in_list": ([_inner], (_inner, 1.0)),
    "object": ([_thing], _thing),
    "after_a_set": ([_inner, {1, 2}], [_inner, {1, 2}]),
    "between_others": ([np.ones(2), _whole[2:3], np.ones(2)], [_whole[1:5:2], _whole[2:4], np.ones(9)]),
}  # fmt: skip
APART: dict[str, tuple[Any, Any]] = {
    "halves": (_whole[:3], _whole[3:]),
    "interleaved": (_whole[::2], _whole[1::2]),
    "no_elements": (_whole, _whole[2:2]),
    "equal": ([1.0], [1.0]),
    "numbers": (1.0, 1.0),
    "tuple_of_numbers": ((1.0, "t"),) * 2,
    "functions": ([len], [len]),
}


@pytest.mark.parametrize("case", SHARED, ids=str)
def test_shared_memory_is_refused_if_written(case: str) -> None:
    a, b = SHARED[case]
    assert private((a, 1.0, b), ("a", "n", "b"), (False, True, False))[0] is a
    for written, name in [((True, False, False), "a"), ((False, False, True), "b")]:
        with pytest.raises(UnsupportedMutation) as refusal:
            private((a, 1.0, b), ("a", "n", "b"), written)
        assert refusal.value.summary == f"'a' and 'b' share memory, and '{name}' is written"
        assert refusal.value.remedy == "pass a copy of one of them"


@pytest.mark.parametrize("case", APART, ids=str)
def test_what_is_apart_is_not(case: str) -> None:
    a, b = APART[case]
    made = private((a, b), ("a", "b"), (True, False))
    assert made[1] is b
    assert np.array_equal(made[0], a)


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_random_views(data: Any) -> None:
    """Views of two memories in one list: each copied element changes exactly the copies that it should."""
    memories = [np.arange(12.0).reshape(3, 4), np.arange(100.0, 108.0).reshape(2, 2, 2)]
    views = []
    for _ in range(data.draw(st.integers(1, 4))):
        memory = data.draw(st.sampled_from(memories))
        view = memory[data.draw(hnp.basic_indices(memory.shape, allow_newaxis=True))]
        if isinstance(view, np.ndarray):
            view = view.T if data.draw(st.booleans()) else view
            views.append(asarray(view) if data.draw(st.booleans()) else view)
    made = copy_of(views)
    assert all(type(a) is type(b) and np.array_equal(a, b) for a, b in zip(made, views))
    for k, (copy, view) in enumerate(zip(made, views)):
        if not view.size:
            continue
        place = tuple(data.draw(st.integers(0, n - 1)) for n in view.shape)
        copy[place] = view[place] = -1.0 - k
        assert all(np.array_equal(a, b) for a, b in zip(made, views))
    for copy in made:
        assert not any(np.may_share_memory(np.asarray(copy), memory) for memory in memories)
        assert isinstance(copy, ARRAYS)
        assert isinstance(copy, Array) or copy.flags.writeable
