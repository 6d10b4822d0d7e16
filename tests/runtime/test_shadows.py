"""Shadows: adjoints by storage and by container; contributions, cotangents, items, attributes, trees."""

from __future__ import annotations

import enum
import random
import threading
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import pytest

from myia import asarray
from myia.errors import MissingRule, NotDifferentiable
from myia.runtime.adjoints import like
from myia.runtime.shadows import Shadows, attributes_of, entries_of, is_number, is_record

BOTH = pytest.mark.parametrize("array", [np.array, lambda x: asarray(np.array(x))], ids=["ndarray", "Array"])


class Pair(NamedTuple):
    a: Any
    b: Any


class Thing:
    shared = 3.0

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("a", "b")


class SlottedMore(Slotted):
    __slots__ = ("__c",)


class Callable_(Thing):
    def __call__(self) -> float:
        return 1.0


class Color(enum.Enum):
    RED = 1


@pytest.fixture
def shadows() -> Shadows:
    return Shadows()


def same(a: Any, b: Any) -> bool:
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    return bool(np.array_equal(a, b))


# -- kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [1.0, 1, True, 1j, "text", b"bytes", None, np.float32(1), np.int64(1), len, np.sin, same, Thing, random,
     Color.RED, random.Random(0), np.random.default_rng(0), ValueError(), Thing(a=1).__init__, {1.0},
     range(3), slice(1), threading.Lock(), object()],
    ids=lambda x: getattr(x, "__name__", type(x).__name__),
)  # fmt: skip
def test_values_without_parts(x: Any) -> None:
    assert is_number(x)
    assert not is_record(x)
    assert entries_of(x) is None


@pytest.mark.parametrize(
    "x, entries",
    [
        ([1.0, 2], {0: 1.0, 1: 2}),
        ((1.0,), {0: 1.0}),
        (Pair(1.0, 2.0), {0: 1.0, 1: 2.0}),
        (deque([1.0]), {0: 1.0}),
        ({"a": 1.0}, {"a": 1.0}),
        (Thing(a=1.0), {"a": 1.0}),
        (Callable_(a=1.0), {"a": 1.0}),
        (Thing(), {}),
    ],
    ids=lambda x: type(x).__name__,
)
def test_containers(x: Any, entries: dict) -> None:
    assert dict(entries_of(x) or ()) == entries
    assert not is_number(x)


def test_slots_of_a_class_and_its_bases() -> None:
    x = SlottedMore()
    assert attributes_of(x) == {}
    x.b, x._SlottedMore__c = 1.0, 2.0
    assert attributes_of(x) == {"b": 1.0, "_SlottedMore__c": 2.0}
    assert is_record(x)


# -- contributions --------------------------------------------------------------------------------------


def test_numbers_are_summed_in_the_local_variable(shadows: Shadows) -> None:
    assert shadows.add(1.0, 2.0, 3.0) == 5.0
    assert shadows.add(np.float64(1.0), 0.0, 3.0) == 3.0
    assert shadows.add("text", 0.0, [1.0, 2.0]) == 0.0
    assert shadows.add(None, 0.0, 0.0) == 0.0


@BOTH
def test_arrays_are_added_to_in_place(shadows: Shadows, array: Any) -> None:
    y = array([1.0, 2.0, 3.0])
    for g in (
        np.array([1.0, 2.0, 3.0]),
        asarray(np.ones(3)),
        [1.0, np.float64(1.0), 1.0],
        0.5,
        0.0,
        np.float64(0.5),
    ):
        assert shadows.add(y, 7.0, g) == 7.0
    assert np.array_equal(shadows.of(y), [4.0, 5.0, 6.0])
    shadows.add(y[::-1], 0.0, np.array([1.0, 0.0, 0.0]))
    assert np.array_equal(shadows.of(y), [4.0, 5.0, 7.0])
    m = array([[1.0, 2.0], [3.0, 4.0]])
    shadows.add(m, 0.0, [[1.0, 2.0], asarray(np.array([3.0, 4.0]))])
    assert np.array_equal(shadows.of(m.T), [[1.0, 3.0], [2.0, 4.0]])


def test_zero_makes_no_shadow(shadows: Shadows) -> None:
    y, items = np.ones(3), [1.0, np.ones(2)]
    shadows.add(y, 0.0, 0.0)
    shadows.add(items, 0.0, 0.0)
    shadows.add(items, 0.0, [0.0, 0.0])
    assert not shadows.has(y)
    assert not shadows.has_slots(items)
    assert len(shadows) == 0


def test_other_dtypes(shadows: Shadows) -> None:
    shadows.add(np.ones(2, int), 0.0, np.ones(2))
    assert len(shadows) == 0
    with pytest.raises((NotDifferentiable, TypeError)):
        shadows.add(np.ones(2, complex), 0.0, np.ones(2))
    y = np.ones(2, np.float32)
    shadows.add(y, 0.0, np.array([1.0, 2.0]))
    assert shadows.of(y).dtype == np.float32
    with pytest.raises(NotDifferentiable):
        shadows.add([1.0], 0.0, [1j])


@pytest.mark.parametrize(
    "g", [[1.0, [2.0, 3.0], {"k": 4.0}], (1.0, np.array([2.0, 3.0]), {"k": 4.0, "other": 9.0})], ids=str
)
@pytest.mark.parametrize("kind", [list, tuple, deque])
def test_containers_item_by_item(shadows: Shadows, kind: type, g: Any) -> None:
    x = kind([1.0, np.ones(2), {"k": 1.0, "none": 2.0}])
    assert shadows.add(x, 0.0, g) == 0.0
    shadows.add(x, 0.0, [1.0, 0.0, 0.0])
    assert same(shadows.tree(x), [2.0, np.array([2.0, 3.0]), {"k": 4.0, "none": 0.0}])


def test_an_array_of_cotangents_for_a_list(shadows: Shadows) -> None:
    x = [[1.0, 2.0], np.ones(2)]
    shadows.add(x, 0.0, np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert same(shadows.tree(x), [[1.0, 2.0], np.array([3.0, 4.0])])


def test_a_wrong_number_of_parts_is_not_cut(shadows: Shadows) -> None:
    with pytest.raises(ValueError, match="shorter|longer"):
        shadows.add([1.0, 2.0], 0.0, [1.0])


def test_attributes(shadows: Shadows) -> None:
    thing = Thing(a=1.0, b=np.ones(2), c="text")
    shadows.add(thing, 0.0, {"a": 2.0, "b": np.ones(2), "missing": 1.0})
    assert same(shadows.tree(thing), {"a": 2.0, "b": np.ones(2), "c": 0.0})


def test_one_list_under_two_names_has_one_shadow(shadows: Shadows) -> None:
    inner = [1.0]
    outer = [inner, inner]
    shadows.add(outer, 0.0, [[2.0], [3.0]])
    assert shadows.slots(inner) == {0: 5.0}


def test_slots_read_as_zero_and_keep_their_container(shadows: Shadows) -> None:
    slots = shadows.slots([1.0, 2.0])
    assert slots[1] == 0.0
    assert 1 not in slots
    slots[1] += 2.0
    # Had the list gone, another one could have its identity by now.
    assert all(not shadows.has_slots([1.0, 2.0]) for _ in range(100))


def test_give(shadows: Shadows) -> None:
    y = np.ones(2)
    assert shadows.give(2.0, np.array([1.0, 2.0])) == 3.0
    assert shadows.give(y, 2.0) == 0.0
    assert np.array_equal(shadows.of(y), [2.0, 2.0])


# -- cotangents of what a statement made --------------------------------------------------------------------


def test_cotangent_of_a_number(shadows: Shadows) -> None:
    assert shadows.cotangent(1.0, 2.5) == 2.5
    assert shadows.cotangent(None, 0.0) == 0.0


@BOTH
def test_cotangent_of_an_array_leaves_the_table(shadows: Shadows, array: Any) -> None:
    y = array([1.0, 2.0])
    shadows.add(y, 0.0, np.array([3.0, 4.0]))
    assert np.array_equal(shadows.cotangent(y, 0.0, (np.ones(2), [1.0])), [3.0, 4.0])
    assert not shadows.has(y)
    assert np.array_equal(shadows.cotangent(y, 0.0), [0.0, 0.0])


@BOTH
@pytest.mark.parametrize(
    "holding",
    [lambda y: (y,), lambda y: ([1.0, [y]],), lambda y: ({"k": (y[::-1],)},), lambda y: (2.0, Thing(a=y[:1])),
     lambda y: (lambda: y,), lambda y: (Thing(y=y).__init__,), lambda y: ({1, Callable_(y=y)},)],
)  # fmt: skip
def test_cotangent_of_a_view_of_an_operand_is_there_already(
    shadows: Shadows, array: Any, holding: Any
) -> None:
    y = array([1.0, 2.0])
    view = y[1:]
    shadows.add(view, 0.0, np.array([4.0]))
    assert shadows.cotangent(view, 0.0, holding(y)) == 0.0
    assert np.array_equal(shadows.of(y), [0.0, 4.0])


def test_cotangent_of_an_operand_itself(shadows: Shadows) -> None:
    x = [1.0, [2.0]]
    shadows.add(x, 0.0, [3.0, [4.0]])
    assert shadows.cotangent(x, 0.0, (x,)) == 0.0
    assert shadows.cotangent(x[1], 0.0, (1.0, x)) == 0.0
    assert same(shadows.tree(x), [3.0, [4.0]])


@pytest.mark.parametrize("kind", [list, tuple, deque])
def test_cotangent_of_a_container(shadows: Shadows, kind: type) -> None:
    old, fresh = np.ones(2), np.ones(2)
    y = kind([1.0, old, fresh, {"k": 2.0, "text": "t"}])
    shadows.add(y, 0.0, [1.0, [2.0, 3.0], [4.0, 5.0], {"k": 6.0}])
    found = shadows.cotangent(y, 0.0, (old,))
    assert same(found, [1.0, 0.0, np.array([4.0, 5.0]), {"k": 6.0, "text": 0.0}])
    assert shadows.has(old)
    assert not shadows.has(fresh)
    assert not shadows.has_slots(y)


def test_cotangent_of_an_object(shadows: Shadows) -> None:
    y = Thing(a=1.0, b=np.ones(1))
    y.me = y
    shadows.add(y, 0.0, {"a": 2.0, "b": [3.0]})
    assert same(shadows.cotangent(y, 0.0), {"a": 2.0, "b": np.array([3.0]), "me": 0.0})


def test_views_of_one_memory_are_each_given_their_part(shadows: Shadows) -> None:
    whole = np.arange(6.0)
    y = [whole[:3], whole[2:], whole[:3]]
    for part in y:
        shadows.add(part, 0.0, 1.0)
    found = shadows.cotangent(y, 0.0)
    total = np.zeros(6)
    for part, place in zip(found, (slice(3), slice(2, None), slice(3))):
        total[place] += part
    assert np.array_equal(total, [2.0, 2.0, 3.0, 1.0, 1.0, 1.0])
    assert not shadows.has(whole)


def test_complex_and_integer_parts_have_no_cotangent(shadows: Shadows) -> None:
    found = shadows.cotangent([np.ones(2, complex), np.ones(2, int)], 0.0)
    assert same(found, [0.0, np.zeros(2)])


# -- items ------------------------------------------------------------------------------------------------


@BOTH
def test_items_of_an_array(shadows: Shadows, array: Any) -> None:
    y = array([[1.0, 2.0], [3.0, 4.0]])
    shadows.item(y, (0, 1), y[0, 1], 5.0)
    row = y[1]
    shadows.add(row, 0.0, np.array([1.0, 2.0]))
    shadows.item(y, 1, row, 0.0)
    picked = y[[0, 0]]
    shadows.add(picked, 0.0, np.array([[1.0, 1.0], [2.0, 2.0]]))
    shadows.item(y, [0, 0], picked, 0.0)
    assert np.array_equal(shadows.of(y), [[3.0, 8.0], [1.0, 2.0]])
    assert not shadows.has(picked)
    shadows.item(np.arange(3), 1, 1, 1.0)
    assert len(shadows) == 1


@pytest.mark.parametrize("kind", [list, tuple, deque])
def test_items_of_a_sequence(shadows: Shadows, kind: type) -> None:
    x = kind([1.0, np.ones(2), 3.0])
    shadows.item(x, -1, x[-1], 5.0)
    shadows.item(x, np.int64(2), x[2], 1.0)
    shadows.item(x, 1, x[1], 0.0)
    shadows.item(x, 0, x[0], 0.0)
    assert shadows.slots(x) == {2: 6.0}


@pytest.mark.parametrize(
    "cut", [slice(1, 3), slice(None, None, -1), slice(None, None, 2), slice(0), slice(None)]
)
@pytest.mark.parametrize("kind", [list, tuple])
def test_slices_of_a_sequence(shadows: Shadows, kind: type, cut: slice) -> None:
    x = kind([1.0, np.ones(2), 3.0, 4.0])
    part = x[cut]
    for k, item in enumerate(part):
        if isinstance(item, float):
            shadows.add_slot(part, k, item)
    shadows.item(x, cut, part, 0.0)
    expected = {k: v for k, v in enumerate(x) if k in range(4)[cut] and isinstance(v, float)}
    assert shadows.slots(x) == expected
    assert part is x or not shadows.has_slots(part)


def test_items_of_a_dictionary_and_of_text(shadows: Shadows) -> None:
    x = {"a": 1.0, "b": [2.0]}
    shadows.item(x, "a", 1.0, 2.0)
    shadows.item(x, "b", x["b"], 0.0)
    shadows.item("text", 0, "t", 0.0)
    shadows.item(range(3), 0, 0, 1.0)
    assert same(shadows.tree(x), {"a": 2.0, "b": [0.0]})


def test_attribute(shadows: Shadows) -> None:
    thing, pair, slotted, y = Thing(a=1.0, b=[1.0]), Pair(1.0, 2.0), Slotted(), np.ones((2, 3))
    slotted.a = 1.0
    shadows.attribute(thing, "a", 1.0, 2.0)
    shadows.attribute(thing, "b", thing.b, 0.0)
    shadows.attribute(thing, "shared", 3.0, 5.0)  # of the class: a constant
    shadows.attribute(pair, "b", 2.0, 3.0)
    shadows.attribute(pair, "count", pair.count, 0.0)
    shadows.attribute(slotted, "a", 1.0, 4.0)
    shadows.attribute(y, "size", 6, 1.0)
    shadows.attribute(y, "T", y.T, 0.0)
    shadows.attribute(np, "pi", np.pi, 1.0)
    assert shadows.slots(thing) == {"a": 2.0}
    assert shadows.slots(pair) == {1: 3.0}
    assert shadows.slots(slotted) == {"a": 4.0}
    assert len(shadows) == 0


# -- the end ------------------------------------------------------------------------------------------------


def test_tree_is_what_gradients_are_made_of(shadows: Shadows) -> None:
    x = [1.0, 2, (np.ones(2), "t"), {"k": Pair(1.0, None)}, np.ones(2, int)]
    shadows.add(x, 0.0, [1.5, 9.0, [[2.0, 3.0], 0.0], {"k": [4.0, 0.0]}, 0.0])
    gradient = like(shadows.tree(x), x, [])
    assert gradient[0] == 1.5
    assert gradient[1] == 0.0
    assert np.array_equal(gradient[2][0], [2.0, 3.0])
    assert gradient[3] == {"k": Pair(4.0, 0.0)}
    assert np.array_equal(gradient[4], [0.0, 0.0])
    assert shadows.tree(1.0, 2.0) == 2.0
    assert shadows.tree([np.ones(2, complex)]) == [0.0]


def test_tree_of_a_container_in_itself(shadows: Shadows) -> None:
    x: list = [1.0]
    x.append(x)
    shadows.slots(x)[0] = 2.0
    assert shadows.tree(x) == [2.0, 0.0]


def test_ended_takes_the_slots_out(shadows: Shadows) -> None:
    x = [1.0, 2.0]
    shadows.slots(x)[1] = 3.0
    parts = shadows.ended(x)
    assert parts.pop(1, 0.0) == 3.0
    assert parts.pop(0, 0.0) == 0.0
    assert not shadows.has_slots(x)


def test_numbers_copied_from_sets_are_refused_only_if_they_matter(shadows: Shadows) -> None:
    shadows.give_items({1.0}, [0.0])
    shadows.give_items({1}, [2.0])
    shadows.give_items("ab", [2.0, 1.0])
    with pytest.raises(MissingRule):
        shadows.give_items({1.0: 2.0}.keys(), [1.0])
