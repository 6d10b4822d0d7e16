"""Mutators: each write against plain Python, its undoing to the bit, and its adjoints against differences.

A case builds its operands from a vector v of distinct numbers. The write is a function of v: of all that is
in the operands and the value after it. Its Jacobian is taken by central differences of plain Python, its
transpose by `undo`.
"""

from __future__ import annotations

import bisect
import heapq
import operator
import os
import random
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from myia import asarray
from myia.errors import MissingRule, UnsupportedMutation
from myia.runtime.mutators import mutate, mutates
from myia.runtime.native import ARRAYS
from myia.runtime.shadows import Shadows, entries_of, is_number

EXAMPLES = int(os.environ.get("MYIA_FUZZ", "150"))
add, sub, mul = "add", "sub", "mul"
_FIXED = {"setitem": None, "setattr": 1, "update": 0, "update_item": 0, "method": 1, "function": 0}
_IN_PLACE = {
    "add": operator.iadd, "sub": operator.isub, "mul": operator.imul, "truediv": operator.itruediv,
    "pow": operator.ipow, "matmul": operator.imatmul, "floordiv": operator.ifloordiv, "mod": operator.imod,
    "and": operator.iand, "or": operator.ior, "xor": operator.ixor, "lshift": operator.ilshift,
    "rshift": operator.irshift, "and_": operator.iand, "or_": operator.ior,
}  # fmt: skip


class Source:
    """Where a case takes its numbers from: a vector, in its order."""

    def __init__(self, v: np.ndarray, native: bool = False) -> None:
        self.v, self.native, self.used = v, native, 0
        self.arrays: list[tuple[int, Any]] = []

    def number(self) -> float:
        self.used += 1
        return float(self.v[self.used - 1])

    def numbers(self, count: int) -> list[float]:
        return [self.number() for _ in range(count)]

    def array(self, *shape: int) -> Any:
        count = int(np.prod(shape))
        made = self.v[self.used : self.used + count].reshape(shape).copy()
        if self.native:
            made = asarray(made)
        self.arrays.append((self.used, made))
        self.used += count
        return made


SIZE = 64


def fresh_vector(seed: int = 3) -> np.ndarray:
    """Distinct numbers between 0.5 and 2.5, far from one another."""
    rng = np.random.default_rng(seed)
    return 0.5 + (rng.permutation(SIZE) + rng.uniform(0, 0.5, SIZE)) * (2.0 / SIZE)


def run_plain(kind: str, operands: tuple, keywords: dict) -> Any:
    match kind, operands:
        case "setitem", (owner, index, value):
            owner[index] = value
        case "setattr", (owner, name, value):
            setattr(owner, name, value)
        case "update", (name, x, value):
            return _IN_PLACE[name](x, value)
        case "update_item", (name, owner, index, value):
            owner[index] = _IN_PLACE[name](owner[index], value)
        case "method", (owner, name, *args):
            return getattr(owner, name)(*args, **keywords)
        case "function", (function, *args):
            return function(*args, **keywords)
    return None


def data_of(kind: str, operands: tuple) -> list[Any]:
    return [x for k, x in enumerate(operands) if k != _FIXED[kind]]


def leaves(x: Any, above: tuple[int, ...] = ()) -> list[tuple[Any, Any, Any]]:
    """Every array (None, None, array) and every number (container, key, number) in a value."""
    if isinstance(x, ARRAYS):
        return [(None, None, x)]
    found = []
    for key, item in entries_of(x) or ():
        if isinstance(item, float):
            found.append((x, key, item))
        elif id(item) not in above:
            found += leaves(item, (*above, id(x)))
    return found


def numbers_in(x: Any) -> list[tuple[Any, Any, float]]:
    """The numbers in containers, each once, however often its container is reached."""
    found = {(id(owner), key): (owner, key, leaf) for owner, key, leaf in leaves(x) if owner is not None}
    return list(found.values())


def flat(x: Any) -> list[float]:
    if isinstance(x, float):
        return [float(x)]
    found: list[float] = []
    for _, _, leaf in leaves(x):
        if not isinstance(leaf, ARRAYS):
            found.append(float(leaf))
        elif leaf.dtype.kind == "f":
            found += np.asarray(leaf).ravel().tolist()
    return found


def after(kind: str, operands: tuple, value: Any) -> np.ndarray:
    """All numbers that a write leaves: in containers and arrays among the operands, and in the value."""
    parts = [flat(x) for x in data_of(kind, operands) if not is_number(x)]
    return np.array(sum(parts, []) + flat(value))


def snapshot(x: Any, above: tuple[int, ...] = ()) -> Any:
    """What has to come back: the same objects, with the same contents to the bit."""
    if isinstance(x, ARRAYS):
        return (id(x), x.dtype, x.strides, np.asarray(x).tobytes())
    if isinstance(x, set):
        return (id(x), sorted(map(repr, x)))
    if id(x) in above:
        return id(x)
    parts = entries_of(x)
    if parts is None:
        return (type(x), repr(x))
    return (id(x), type(x), [(key, snapshot(item, (*above, id(x)))) for key, item in parts])


def spread(shadows: Shadows, x: Any, w: list[float]) -> float:
    """Add cotangents, taken from the front of `w`, to all numbers in a value; that of the value itself."""
    if isinstance(x, float):
        return w.pop(0)
    for owner, key, leaf in leaves(x):
        if owner is not None:
            shadows.add_slot(owner, key, w.pop(0))
        elif leaf.dtype.kind == "f":
            part = np.array([w.pop(0) for _ in range(leaf.size)]).reshape(leaf.shape)
            shadows.add(leaf, 0.0, part)
    return 0.0


def check(
    kind: str,
    build: Callable[[Source], tuple],
    keywords: dict[str, Any] | None = None,
    native: bool = False,
    tolerance: float = 1e-7,
) -> None:
    keywords = keywords or {}
    v = fresh_vector()

    def plain(v: np.ndarray) -> np.ndarray:
        operands = build(Source(v))
        return after(kind, operands, run_plain(kind, operands, keywords))

    # -- the value, and what is left behind
    source = Source(v, native)
    operands = build(source)
    before = snapshot(operands)
    value, undo = mutate(kind, *operands, **keywords)
    expected = plain(v)
    state = after(kind, operands, value)
    assert state.tobytes() == expected.tobytes()
    # -- cotangents, and the way back
    rng = np.random.default_rng(5)
    w = rng.standard_normal(len(expected))
    shadows, rest = Shadows(), list(w)
    for x in data_of(kind, operands):
        if not is_number(x):
            spread(shadows, x, rest)
    d_value = spread(shadows, value, rest)
    assert not rest
    found = undo(shadows, d_value)
    assert snapshot(operands) == before
    assert len(found) == len(data_of(kind, operands)) + len(keywords)
    # -- adjoints by number of v: in arrays, in containers, and of operands that are numbers
    gradient = np.zeros(source.used)
    for start, array in source.arrays:
        gradient[start : start + array.size] += np.asarray(shadows.of(array)).ravel()
    for owner, key, number in numbers_in(data_of(kind, operands)):
        for place in np.flatnonzero(v[: source.used] == number):
            gradient[place] += shadows.slots(owner)[key]
    for x, g in zip(data_of(kind, operands), found):
        for place in np.flatnonzero(v[: source.used] == x) if isinstance(x, float) else ():
            gradient[place] += g
        assert is_number(x) or g == 0.0
    for x in data_of(kind, operands):  # nothing is left under a key that is not there
        if not is_number(x) and not isinstance(x, ARRAYS):
            assert set(shadows.slots(x)) <= {key for key, _ in entries_of(x) or ()}
    step = 1e-6
    jacobian = np.zeros((len(expected), source.used))
    for k in range(source.used):
        e = np.zeros(SIZE)
        e[k] = step
        jacobian[:, k] = (plain(v + e) - plain(v - e)) / (2 * step)
    np.testing.assert_allclose(gradient, w @ jacobian, rtol=tolerance, atol=tolerance)
    # -- nothing active: only values are taken back
    operands = build(Source(v, native))
    before = snapshot(operands)
    _, undo = mutate(kind, *operands, **keywords)
    assert not any(undo(None, 0.0))
    assert snapshot(operands) == before


@dataclass
class Point:
    x: Any
    y: Any = 2.0


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x: Any) -> None:
        self.x = x


class Plain:
    pass


class WithProperty:
    def __init__(self) -> None:
        self._a = 1.0

    @property
    def a(self) -> float:
        return self._a

    @a.setter
    def a(self, value: float) -> None:
        self._a = value


class WithSetattr:
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


class Own:
    def __init__(self) -> None:
        self.items = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def __iadd__(self, other: Any) -> Own:
        return self

    def append(self, item: Any) -> None:
        self.items[len(self.items)] = item

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.ones(3)


def with_default(s: Source) -> defaultdict:
    return defaultdict(lambda: 0.25, a=s.number())


def looped(s: Source) -> list:
    made: list = s.numbers(3)
    made.append(made)
    return made


def table(s: Source) -> dict:
    return {"a": s.number(), "b": s.number(), 3: s.number(), "list": s.numbers(2)}


def mask(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape))).reshape(shape) % 3 != 1


# -- arrays -----------------------------------------------------------------------------------------

ARRAY_CASES: dict[str, tuple[str, Callable[[Source], tuple], dict]] = {}


def on_arrays(name: str, kind: str, build: Callable[[Source], tuple], /, **keywords: Any) -> None:
    assert name not in ARRAY_CASES
    ARRAY_CASES[name] = (kind, build, keywords)


for name, shape, index in [
    ("integer", (4,), 1), ("negative", (4,), -1), ("element", (3, 2), (1, -1)), ("row", (3, 2), 1),
    ("column", (3, 2), (slice(None), 0)), ("slice", (5,), slice(1, 4)), ("step", (5,), slice(None, None, 2)),
    ("backwards", (5,), slice(None, None, -1)), ("whole", (3, 2), ...), ("new_axis", (3, 2), (None, 1)),
    ("mask", (6,), mask(6)), ("mask_of_matrix", (3, 2), mask(3, 2)), ("mask_of_rows", (3, 2), mask(3)),
    ("no_elements", (4,), slice(2, 2)), ("empty_list", (4,), []), ("list", (4,), [2, 0]),
    ("tuple_in_tuple", (4,), ((1, 2),)),
    ("integers", (4,), np.array([3, 0, 1])), ("repeated", (4,), np.array([1, 1, 2, 1])),
    ("repeated_rows", (3, 2), np.array([1, 0, 1])),
    ("pairs", (3, 3), (np.array([0, 1, 0]), np.array([2, 1, 2]))),
    ("grid", (3, 3), np.ix_([0, 2], [1, 2])), ("mixed", (3, 3), (slice(1, None), [0, 2, 0])),
    ("of_no_axes", (), ()), ("ellipsis_and_integer", (2, 3), (..., 1)), ("numpy_integer", (4,), np.int64(2)),
    ("true", (2, 2), True), ("false", (2, 2), False),
]:  # fmt: skip
    picked = np.zeros(shape)[index].shape

    on_arrays(
        f"setitem_{name}",
        "setitem",
        lambda s, shape=shape, index=index, picked=picked: (s.array(*shape), index, s.array(*picked)),
    )
    on_arrays(
        f"setitem_{name}_number",
        "setitem",
        lambda s, shape=shape, index=index: (s.array(*shape), index, s.number()),
    )
    on_arrays(
        f"add_to_{name}",
        "update_item",
        lambda s, shape=shape, index=index, picked=picked: (add, s.array(*shape), index, s.array(*picked)),
    )
    on_arrays(
        f"divide_{name}_by_number", "update_item",
        lambda s, shape=shape, index=index: ("truediv", s.array(*shape), index, s.number()),
    )  # fmt: skip

on_arrays("constant", "setitem", lambda s: (s.array(3), 0, 1))
on_arrays("broadcast_value", "setitem", lambda s: (s.array(3, 2), slice(1, None), s.array(2)))
on_arrays("broadcast_ones", "setitem", lambda s: (s.array(3, 2), ..., s.array(3, 1)))
on_arrays("value_of_more_axes", "setitem", lambda s: (s.array(3, 2), ..., s.array(1, 1, 2)))
on_arrays("value_of_no_axes", "setitem", lambda s: (s.array(3), 1, s.array()))
on_arrays("list_of_numbers", "setitem", lambda s: (s.array(3), slice(2), s.numbers(2)))
on_arrays("list_broadcast", "setitem", lambda s: (s.array(3, 2), ..., s.numbers(2)))
on_arrays("tuple_value", "setitem", lambda s: (s.array(3), slice(2), tuple(s.numbers(2))))
on_arrays("list_of_arrays", "setitem", lambda s: (s.array(2, 2), ..., [s.array(2), s.array(2)]))
on_arrays("list_of_both", "setitem", lambda s: (s.array(2, 2), ..., [s.array(2), s.numbers(2)]))
on_arrays("deque_value", "setitem", lambda s: (s.array(2), ..., deque(s.numbers(2))))


def overlapping(s: Source, left: Any, right: Any) -> tuple:
    y = s.array(6)
    return y, left, y[right]


for name, left, right in [
    ("forwards", slice(1, None), slice(None, -1)), ("backwards", slice(None, -1), slice(1, None)),
    ("reversed", slice(None, None, -1), slice(None)), ("itself", slice(None), slice(None)),
    ("halves", slice(3), slice(3, None)),
]:  # fmt: skip
    on_arrays(f"overlap_{name}", "setitem", lambda s, a=left, b=right: overlapping(s, a, b))
    on_arrays(f"add_overlap_{name}", "update_item", lambda s, a=left, b=right: (add, *overlapping(s, a, b)))
    on_arrays(f"times_overlap_{name}", "update_item", lambda s, a=left, b=right: (mul, *overlapping(s, a, b)))
on_arrays("transposed_onto_itself", "setitem", lambda s: (lambda a: (a, ..., a.T))(s.array(3, 3)))
on_arrays("through_a_view", "setitem", lambda s: (s.array(6)[1:4], ..., s.array(3)))

for name in ("add", "sub", "mul", "truediv", "pow", "floordiv", "mod"):
    on_arrays(f"{name}_array", "update", lambda s, name=name: (name, s.array(2, 3), s.array(2, 3)))
    on_arrays(f"{name}_broadcast", "update", lambda s, name=name: (name, s.array(2, 3), s.array(3)))
    on_arrays(f"{name}_number", "update", lambda s, name=name: (name, s.array(2, 3), s.number()))
    on_arrays(f"{name}_list", "update", lambda s, name=name: (name, s.array(3), s.numbers(3)))
    on_arrays(f"{name}_view", "update", lambda s, name=name: (name, s.array(3, 2).T, s.array(2, 3)))
    on_arrays(f"{name}_item", "update_item", lambda s, name=name: (name, s.array(3), 1, s.number()))
    on_arrays(f"{name}_item_array", "update_item", lambda s, name=name: (name, s.array(3, 2), 1, s.array(2)))
    on_arrays(f"{name}_items", "update_item", lambda s, name=name: (name, s.array(4), [2, 0], s.array(2)))
    on_arrays(f"{name}_of_no_axes", "update", lambda s, name=name: (name, s.array(), s.number()))
    on_arrays(f"number_{name}_array", "update", lambda s, name=name: (name, s.number(), s.array(2)))
    on_arrays(f"list_{name}_array", "update", lambda s, name=name: (name, s.numbers(2), s.array(2)))
    on_arrays(f"number_{name}", "update", lambda s, name=name: (name, s.number(), s.number()))
    on_arrays(f"float64_{name}", "update", lambda s, name=name: (name, np.float64(s.number()), s.number()))
on_arrays("double", "update", lambda s: (lambda y: (add, y, y))(s.array(3)))
on_arrays("square", "update", lambda s: (lambda y: (mul, y, y))(s.array(3)))
on_arrays("times_its_reverse", "update", lambda s: (lambda y: (mul, y, y[::-1]))(s.array(4)))
on_arrays("times_its_first", "update", lambda s: (lambda y: (mul, y, y[:1]))(s.array(4)))
on_arrays("matmul", "update", lambda s: ("matmul", s.array(3, 3), s.array(3, 3)))
on_arrays("matmul_itself", "update", lambda s: (lambda y: ("matmul", y, y))(s.array(2, 2)))
on_arrays("power_by_integer", "update", lambda s: ("pow", s.array(3), 2))
on_arrays("tuple_add_array", "update", lambda s: ("add", tuple(s.numbers(2)), s.array(2)))

on_arrays("fill", "method", lambda s: (s.array(2, 2), "fill", s.number()))
on_arrays("fill_with_array", "method", lambda s: (s.array(2, 2), "fill", s.array()))
on_arrays("sort", "method", lambda s: (s.array(6), "sort"))
on_arrays("sort_first_axis", "method", lambda s: (s.array(3, 4), "sort", 0))
on_arrays("sort_stable", "method", lambda s: (s.array(3, 4), "sort"), axis=0, kind="stable")
on_arrays("sort_view", "method", lambda s: (s.array(3, 4)[:, ::2], "sort", 0))
on_arrays("partition", "method", lambda s: (s.array(8), "partition", 3))
on_arrays("partition_axis", "method", lambda s: (s.array(5, 2), "partition", 2), axis=0)
on_arrays("put_method", "method", lambda s: (s.array(2, 3), "put", [1, 4], s.array(2)))
on_arrays("setitem_method", "method", lambda s: (s.array(3), "__setitem__", 1, s.number()))

on_arrays("copyto", "function", lambda s: (np.copyto, s.array(2, 3), s.array(3)))
on_arrays("copyto_number", "function", lambda s: (np.copyto, s.array(2, 3), s.number()))
on_arrays("copyto_where", "function", lambda s: (np.copyto, s.array(3, 2), s.array(2)), where=mask(3, 2))
on_arrays("copyto_where_rows", "function", lambda s: (np.copyto, s.array(3, 2), s.number()), where=mask(3, 1))
on_arrays("copyto_by_name", "function", lambda s: (np.copyto, s.array(2)), src=np.array([7.0, 8.0]))
on_arrays("copyto_overlap", "function", lambda s: (lambda y: (np.copyto, y[1:], y[:-1]))(s.array(4)))
on_arrays("put", "function", lambda s: (np.put, s.array(2, 3), [0, -1, 2], s.array(3)))
on_arrays("put_cycled", "function", lambda s: (np.put, s.array(6), [0, 2, 4, 5, 0], s.array(2)))
on_arrays("put_too_many", "function", lambda s: (np.put, s.array(3), [1], s.array(3)))
on_arrays("put_wrap", "function", lambda s: (np.put, s.array(3), [5, -4], s.array(2), "wrap"))
on_arrays("put_clip", "function", lambda s: (np.put, s.array(3), [5, -4], s.array(2)), mode="clip")
on_arrays("put_number", "function", lambda s: (np.put, s.array(3), 1, s.number()))
on_arrays("put_list", "function", lambda s: (np.put, s.array(3), [2, 1], s.numbers(2)))
on_arrays("put_in_view", "function", lambda s: (np.put, s.array(3, 3)[:, ::2], [1, 4], s.array(2)))
on_arrays("put_nothing", "function", lambda s: (np.put, s.array(3), [1], []))
on_arrays("put_no_axes", "function", lambda s: (np.put, s.array(), [0, 0], s.array(2)))
on_arrays("place", "function", lambda s: (np.place, s.array(2, 3), mask(2, 3), s.array(2)))
on_arrays("place_number", "function", lambda s: (np.place, s.array(4), mask(4), s.number()))
on_arrays("putmask", "function", lambda s: (np.putmask, s.array(2, 3), mask(2, 3), s.array(2, 3)))
on_arrays("putmask_cycled", "function", lambda s: (np.putmask, s.array(6), mask(6), s.array(2)))
on_arrays("fill_diagonal", "function", lambda s: (np.fill_diagonal, s.array(3, 3), s.array(3)))
on_arrays("fill_diagonal_number", "function", lambda s: (np.fill_diagonal, s.array(2, 3), s.number()))
on_arrays("fill_diagonal_tall", "function", lambda s: (np.fill_diagonal, s.array(5, 2), s.array(2)))
on_arrays("fill_diagonal_wrap", "function", lambda s: (np.fill_diagonal, s.array(5, 2), s.number(), True))
on_arrays("fill_diagonal_cube", "function", lambda s: (np.fill_diagonal, s.array(2, 2, 2), s.array(2)))
on_arrays("fill_diagonal_cycled", "function", lambda s: (np.fill_diagonal, s.array(3, 3), s.array(2)))
on_arrays(
    "put_along_axis",
    "function",
    lambda s: (np.put_along_axis, s.array(2, 3), np.array([[0], [2]]), s.array(2, 1), 1),
)
on_arrays(
    "put_along_axis_repeated",
    "function",
    lambda s: (np.put_along_axis, s.array(2, 3), np.array([[0, 0], [2, 1]]), s.array(2, 2), 1),
)
on_arrays(
    "put_along_first",
    "function",
    lambda s: (np.put_along_axis, s.array(3, 2), np.array([[2, 0]]), s.array(1, 2), 0),
)
on_arrays(
    "put_along_flat",
    "function",
    lambda s: (np.put_along_axis, s.array(2, 3), np.array([5, 0]), s.array(2), None),
)
on_arrays("add_at", "function", lambda s: (np.add.at, s.array(4), [1, 1, 3], s.array(3)))
on_arrays("add_at_number", "function", lambda s: (np.add.at, s.array(4), [1, 1, 3], s.number()))
on_arrays("add_at_slice", "function", lambda s: (np.add.at, s.array(4), slice(1, 3), s.array(2)))
on_arrays("add_at_pairs", "function", lambda s: (np.add.at, s.array(2, 2), ([0, 0], [1, 1]), s.array(2)))
on_arrays("subtract_at", "function", lambda s: (np.subtract.at, s.array(4), [1, 1, 3], s.array(3)))
on_arrays("operator_setitem", "function", lambda s: (operator.setitem, s.array(4), 1, s.number()))
on_arrays("operator_imul", "function", lambda s: (operator.imul, s.array(4), s.array(4)))


@pytest.mark.parametrize("native", [False, True], ids=["ndarray", "Array"])
@pytest.mark.parametrize("case", ARRAY_CASES, ids=lambda x: type(x).__name__)
def test_arrays(case: str, native: bool) -> None:
    kind, build, keywords = ARRAY_CASES[case]
    check(kind, build, keywords, native)


# -- containers -------------------------------------------------------------------------------------

CASES: dict[str, tuple[str, Callable[[Source], tuple], dict]] = {}


def on(name: str, kind: str, build: Callable[[Source], tuple], /, **keywords: Any) -> None:
    assert name not in CASES
    CASES[name] = (kind, build, keywords)


on("list_item", "setitem", lambda s: (s.numbers(3), 1, s.number()))
on("list_last_item", "setitem", lambda s: (s.numbers(3), -1, s.number()))
on("list_item_constant", "setitem", lambda s: (s.numbers(3), True, None))
on("list_item_array", "setitem", lambda s: (s.numbers(3), np.int64(1), s.array(2)))
on("list_item_list", "setitem", lambda s: ([s.array(2), s.number()], 0, s.numbers(2)))
on("list_item_over_array", "setitem", lambda s: ([s.array(2), s.number()], 0, s.number()))
on("list_slice", "setitem", lambda s: (s.numbers(5), slice(1, 3), s.numbers(2)))
on("list_slice_longer", "setitem", lambda s: (s.numbers(4), slice(1, 2), s.numbers(3)))
on("list_slice_shorter", "setitem", lambda s: (s.numbers(5), slice(1, 4), s.numbers(1)))
on("list_slice_removed", "setitem", lambda s: (s.numbers(5), slice(-4, -1), []))
on("list_slice_turned", "setitem", lambda s: (s.numbers(4), slice(3, 1), s.numbers(2)))
on("list_slice_step", "setitem", lambda s: (s.numbers(5), slice(None, None, 2), s.numbers(3)))
on("list_slice_backwards", "setitem", lambda s: (s.numbers(3), slice(None, None, -1), s.numbers(3)))
on("list_slice_itself", "setitem", lambda s: (lambda y: (y, slice(1, 2), y))(s.numbers(3)))
on("list_slice_of_array", "setitem", lambda s: (s.numbers(3), slice(1, 2), s.array(3)))
on("list_slice_of_rows", "setitem", lambda s: (s.numbers(3), slice(1, 2), s.array(2, 2)))
on("list_slice_of_tuple", "setitem", lambda s: (s.numbers(3), slice(1, 2), (s.array(2), s.number())))
on("list_slice_of_deque", "setitem", lambda s: (s.numbers(3), slice(1, 2), deque(s.numbers(2))))
on("list_slice_of_text", "setitem", lambda s: (s.numbers(3), slice(1, 2), "text"))
on("list_in_itself", "setitem", lambda s: (looped(s), 1, s.number()))
on("deque_item", "setitem", lambda s: (deque(s.numbers(3)), -1, s.number()))
on("dict_item", "setitem", lambda s: (table(s), "b", s.number()))
on("dict_new_item", "setitem", lambda s: (table(s), "new", s.number()))
on("dict_item_list", "setitem", lambda s: (table(s), "a", s.numbers(2)))
on("dict_equal_key", "setitem", lambda s: (table(s), 3.0, s.number()))
on("nested_item", "setitem", lambda s: ([s.numbers(2)] * 2, 0, s.array(2)))

on("attribute", "setattr", lambda s: (Point(s.number(), s.number()), "x", s.number()))
on("attribute_array", "setattr", lambda s: (Point(s.number()), "x", s.array(2)))
on("attribute_over_array", "setattr", lambda s: (Point(s.array(2)), "x", s.number()))
on("new_attribute", "setattr", lambda s: (Plain(), "x", s.number()))
on("slot", "setattr", lambda s: (Slotted(s.number()), "x", s.number()))
on("new_slot", "setattr", lambda s: (Slotted(s.number()), "y", s.number()))
on("setattr_function", "function", lambda s: (setattr, Point(s.number()), "x", s.number()))

on("list_append", "method", lambda s: (s.numbers(2), "append", s.number()))
on("list_append_array", "method", lambda s: (s.numbers(2), "append", s.array(2)))
on("list_append_itself", "method", lambda s: (lambda y: (y, "append", y))(s.numbers(2)))
on("list_pop", "method", lambda s: (s.numbers(3), "pop"))
on("list_pop_first", "method", lambda s: (s.numbers(3), "pop", 0))
on("list_pop_negative", "method", lambda s: (s.numbers(4), "pop", -3))
on("list_pop_array", "method", lambda s: ([s.number(), s.array(2)], "pop"))
on("list_pop_list", "method", lambda s: ([s.numbers(2), s.number()], "pop", 0))
on("list_insert", "method", lambda s: (s.numbers(3), "insert", 1, s.number()))
on("list_insert_negative", "method", lambda s: (s.numbers(3), "insert", -1, s.number()))
on("list_insert_before", "method", lambda s: (s.numbers(3), "insert", -9, s.number()))
on("list_insert_after", "method", lambda s: (s.numbers(3), "insert", 9, s.array(2)))
on("list_extend", "method", lambda s: (s.numbers(2), "extend", s.numbers(3)))
on("list_extend_itself", "method", lambda s: (lambda y: (y, "extend", y))(s.numbers(3)))
on("list_extend_tuple", "method", lambda s: (s.numbers(2), "extend", (s.array(2), s.number())))
on("list_extend_array", "method", lambda s: (s.numbers(2), "extend", s.array(3)))
on("list_extend_rows", "method", lambda s: (s.numbers(2), "extend", s.array(2, 2)))
on("list_extend_range", "method", lambda s: (s.numbers(2), "extend", range(3)))
on("list_remove", "method", lambda s: (lambda y: (y, "remove", y[1]))(s.numbers(3)))
on("list_clear", "method", lambda s: (s.numbers(3), "clear"))
on("list_reverse", "method", lambda s: ([*s.numbers(3), s.array(2)], "reverse"))
on("list_sort", "method", lambda s: (s.numbers(6), "sort"))
on("list_sort_down", "method", lambda s: (s.numbers(6), "sort"), reverse=True)
on("list_sort_key", "method", lambda s: (s.numbers(6), "sort"), key=lambda x: (round(x * 3), x), reverse=True)
on(
    "list_sort_pairs",
    "method",
    lambda s: ([(s.number(), s.array(2)) for _ in range(4)], "sort"),
    key=lambda p: p[0],
)
on("list_setitem", "method", lambda s: (s.numbers(3), "__setitem__", 1, s.number()))
on("list_delitem_first", "method", lambda s: (s.numbers(4), "__delitem__", 0))
on("list_delitem", "method", lambda s: (s.numbers(4), "__delitem__", -3))
on("list_delitem_slice", "method", lambda s: (s.numbers(6), "__delitem__", slice(None, None, -2)))
on("operator_delitem", "function", lambda s: (operator.delitem, s.numbers(6), slice(1, 3)))
on("operator_iconcat", "function", lambda s: (operator.iconcat, s.numbers(2), s.numbers(2)))

on("list_add", "update", lambda s: (add, s.numbers(2), s.numbers(3)))
on("list_add_itself", "update", lambda s: (lambda y: (add, y, y))(s.numbers(2)))
on("list_add_tuple", "update", lambda s: (add, s.numbers(2), tuple(s.numbers(3))))
on("list_multiply", "update", lambda s: (mul, [*s.numbers(2), s.array(2)], 3))
on("list_multiply_numpy", "update", lambda s: (mul, s.numbers(2), np.int64(2)))
on("list_multiply_zero", "update", lambda s: (mul, s.numbers(2), 0))
on("integer_times_list", "update", lambda s: (mul, 2, s.numbers(2)))
on("tuple_add", "update", lambda s: (add, (s.number(), s.array(2)), tuple(s.numbers(2))))
on("tuple_add_nothing", "update", lambda s: (add, (s.number(), s.array(2)), ()))
on("tuple_multiply", "update", lambda s: (mul, (s.number(), s.array(2), s.number()), 3))
on("text_add", "update", lambda s: (add, "a", "b"))
on("integers_or", "update", lambda s: ("or_", 5, 2))
on("dict_or", "update", lambda s: ("or_", table(s), {"b": s.number(), "c": s.numbers(2)}))
on("set_or", "update", lambda s: ("or", {1, 2}, {3}))
on("set_and", "update", lambda s: ("and_", {1, 2}, {2}))
on("set_sub", "update", lambda s: ("sub", {1, 2}, {2}))
on("set_xor", "update", lambda s: ("xor", {1, 2}, {2, 3}))
on("deque_add", "update", lambda s: (add, deque(s.numbers(2), 3), s.numbers(2)))
on("list_item_update", "update_item", lambda s: (mul, s.numbers(3), -1, s.number()))
on("list_item_update_array", "update_item", lambda s: (mul, [s.array(2), s.number()], 0, s.number()))
on("list_item_extended", "update_item", lambda s: (add, [s.numbers(2), s.number()], 0, s.numbers(2)))
on("list_number_becomes_array", "update_item", lambda s: (mul, s.numbers(2), 0, s.array(2)))
on("list_slice_added", "update_item", lambda s: (add, s.numbers(4), slice(1, 3), s.numbers(2)))
on("dict_item_update", "update_item", lambda s: ("truediv", table(s), "b", s.number()))
on("dict_item_array", "update_item", lambda s: (mul, {"a": s.array(2)}, "a", s.array(2)))
on("default_item_update", "update_item", lambda s: (add, with_default(s), "new", s.number()))
on("default_known_update", "update_item", lambda s: (mul, with_default(s), "a", s.number()))
on("deque_item_update", "update_item", lambda s: (mul, deque(s.numbers(3)), 1, s.number()))

on("dict_pop", "method", lambda s: (table(s), "pop", "b"))
on("dict_pop_last", "method", lambda s: (table(s), "pop", "list"))
on("dict_pop_default", "method", lambda s: (table(s), "pop", "new", s.number()))
on("dict_pop_default_array", "method", lambda s: (table(s), "pop", "new", s.array(2)))
on("dict_pop_in_vain", "method", lambda s: (table(s), "pop", "a", s.number()))
on("dict_popitem", "method", lambda s: ({"a": s.array(2), "b": s.number()}, "popitem"))
on("dict_popitem_array", "method", lambda s: ({"b": s.number(), "a": s.array(2)}, "popitem"))
on("dict_setdefault", "method", lambda s: (table(s), "setdefault", "new", s.number()))
on("dict_setdefault_known", "method", lambda s: (table(s), "setdefault", "a", s.number()))
on("dict_setdefault_list", "method", lambda s: (table(s), "setdefault", "new", s.numbers(1)))
on("dict_update", "method", lambda s: (table(s), "update", {"b": s.number(), "c": s.array(2)}))
on("dict_update_itself", "method", lambda s: (lambda y: (y, "update", y))(table(s)))
on(
    "dict_update_pairs",
    "method",
    lambda s: (table(s), "update", [("b", s.number()), ("b", s.number()), ["c", s.number()]]),
)
on("dict_update_named", "method", lambda s: (table(s), "update", {"b": s.number()}), b=4.0, c=5.0)
on("dict_clear", "method", lambda s: (table(s), "clear"))
on("dict_delitem", "method", lambda s: (table(s), "__delitem__", "a"))

on("set_add", "method", lambda s: ({1, 2}, "add", 3))
on("set_add_known", "method", lambda s: ({1, 2}, "add", 2))
on("set_discard", "method", lambda s: ({1, 2}, "discard", 2))
on("set_remove", "method", lambda s: ({1, 2}, "remove", 2))
on("set_update", "method", lambda s: ({1, 2}, "update", [3], [4]))
on("set_clear", "method", lambda s: ({1, 2}, "clear"))
on("set_pop", "method", lambda s: ({1, 2}, "pop"))

for bound in (None, 3):
    b = "_bounded" if bound else ""
    for method in ("append", "appendleft"):
        on(
            f"deque_{method}{b}",
            "method",
            lambda s, m=method, bound=bound: (deque(s.numbers(3), bound), m, s.number()),
        )
    for method in ("extend", "extendleft"):
        for size in (2, 4):
            on(
                f"deque_{method}_{size}{b}",
                "method",
                lambda s, m=method, bound=bound, size=size: (deque(s.numbers(3), bound), m, s.numbers(size)),
            )
    for method in ("pop", "popleft", "clear", "reverse", "rotate"):
        on(f"deque_{method}{b}", "method", lambda s, m=method, bound=bound: (deque(s.numbers(3), bound), m))
on("deque_rotate_back", "method", lambda s: (deque(s.numbers(4)), "rotate", -3))
on("deque_rotate_empty", "method", lambda s: (deque(), "rotate", 1))
on("deque_pop_array", "method", lambda s: (deque([s.array(2), s.number()]), "popleft"))

on("heappush", "function", lambda s: (heapq.heappush, heaped(s, 9), s.number()))
on("heappush_least", "function", lambda s: (heapq.heappush, heaped(s, 9), 0.0))
on("heappop", "function", lambda s: (heapq.heappop, heaped(s, 9)))
on("heappop_last", "function", lambda s: (heapq.heappop, s.numbers(1)))
on("heappop_two", "function", lambda s: (heapq.heappop, heaped(s, 2)))
on("heapify", "function", lambda s: (heapq.heapify, s.numbers(11)))
on("heap_of_pairs", "function", lambda s: (heapq.heappop, [(k, s.array(2)) for k in range(5)]))
on("insort", "function", lambda s: (bisect.insort, sorted(s.numbers(5)), s.number()))
on("insort_left", "function", lambda s: (bisect.insort_left, sorted(s.numbers(5)), s.number(), 1, 4))
on(
    "insort_key",
    "function",
    lambda s: (bisect.insort_right, sorted(s.numbers(5), reverse=True), s.number()),
    key=operator.neg,
)


def heaped(s: Source, count: int) -> list[float]:
    made = s.numbers(count)
    heapq.heapify(made)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda x: type(x).__name__)
def test_containers(case: str) -> None:
    kind, build, keywords = CASES[case]
    check(kind, build, keywords)


# -- random generators ------------------------------------------------------------------------------

SHUFFLED: dict[str, Callable[[Source], Any]] = {
    "list": lambda s: s.numbers(7), "vector": lambda s: s.array(7), "matrix": lambda s: s.array(5, 3),
    "view": lambda s: s.array(5, 4)[::-1, ::2], "cube": lambda s: s.array(3, 2, 2),
    "one": lambda s: s.array(1), "list_of_arrays": lambda s: [s.array(2) for _ in range(4)],
}  # fmt: skip
GENERATORS: dict[str, Callable[[], Any]] = {
    "generator": lambda: np.random.default_rng(4), "legacy": lambda: np.random.RandomState(4),
    "python": lambda: random.Random(4),
}  # fmt: skip


@pytest.mark.parametrize("through", ["method", "function"])
@pytest.mark.parametrize("generator", GENERATORS, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("what", SHUFFLED, ids=lambda x: type(x).__name__)
def test_shuffle(what: str, generator: str, through: str) -> None:
    """What is drawn is what the generator itself would draw, and nothing more."""
    if generator == "python" and what in ("matrix", "view", "cube"):
        with pytest.raises(UnsupportedMutation):
            mutate("function", random.Random(4).shuffle, SHUFFLED[what](Source(fresh_vector())))
        return

    def build(s: Source) -> tuple:
        rng = GENERATORS[generator]()
        made = SHUFFLED[what](s)
        return (rng, "shuffle", made) if through == "method" else (rng.shuffle, made)

    if through == "method":  # the generator is an operand without adjoint
        ours, plain = GENERATORS[generator](), GENERATORS[generator]()
        x, y = SHUFFLED[what](Source(fresh_vector())), SHUFFLED[what](Source(fresh_vector()))
        mutate("method", ours, "shuffle", x)
        plain.shuffle(y)
        assert flat(x) == flat(y)
        draw = (lambda g: g.random()) if generator != "legacy" else (lambda g: g.random_sample())
        assert draw(ours) == draw(plain)
    else:
        check("function", build)


@pytest.mark.parametrize(
    "function, args", [(heapq.heapify, ()), (heapq.heappop, ()), (heapq.heappush, (1,))], ids=str
)
def test_heaps_of_equal_items(function: Any, args: tuple) -> None:
    """Equal items are told apart by their types: they go where heapq puts them."""
    heap = [1, True, 1.0, np.float64(1), np.int64(1), 2, 2.0, 1, True]
    before, expected = snapshot(heap), heap.copy()
    function(expected, *args)
    _, undo = mutate("function", function, heap, *args)
    assert list(map(repr, heap)) == list(map(repr, expected))
    undo(None, 0.0)
    assert snapshot(heap) == before


def test_shuffle_along_another_axis() -> None:
    rng = lambda: np.random.default_rng(1)
    check("function", lambda s: (rng().shuffle, s.array(3, 4)), {"axis": 1})
    with pytest.raises(np.exceptions.AxisError):
        mutate("function", rng().shuffle, np.ones((2, 2)), axis=2)


# -- dtypes -----------------------------------------------------------------------------------------


def test_single_precision_keeps_its_type_and_numbers_stay_double() -> None:
    y, shadows = np.zeros(3, np.float32), Shadows()
    _, undo = mutate("setitem", y, slice(None), 0.1)
    shadows.add(y, 0.0, np.array([1e8, 1.0, -1e8], np.float32))
    found = undo(shadows, 0.0)
    assert type(found[2]) is float
    assert shadows.of(y).dtype == np.float32
    items = [1.0]
    shadows.add(items, 0.0, [np.float32(0.1)])
    shadows.add(items, 0.0, [1e-9])
    assert shadows.slots(items)[0] == float(np.float32(0.1)) + 1e-9


@pytest.mark.parametrize("dtype", [int, bool, object, complex])
def test_arrays_without_adjoints_are_taken_back(dtype: Any) -> None:
    y = np.array([1, 0, 1], dtype)
    before = y.copy()
    name = "or_" if dtype is bool else "mul"
    for kind, *operands in [
        ("setitem", y, 1, True), ("update_item", name, y, slice(None), False), ("method", y, "fill", 0),
        ("update", name, y, False),
    ]:  # fmt: skip
        _, undo = mutate(kind, *operands)
        assert not any(undo(Shadows(), 0.0))
        assert np.array_equal(y, before)


def test_float_stored_into_integers_has_no_adjoint() -> None:
    y, shadows = np.zeros(2, int), Shadows()
    _, undo = mutate("setitem", y, 0, 2.7)
    assert y[0] == 2
    assert undo(shadows, 0.0) == [0.0, 0.0, 0.0]


def test_an_index_that_is_written_later() -> None:
    y, index = np.zeros(3), [0, 1]
    _, undo = mutate("setitem", y, index, 1.0)
    index[0] = 2
    undo(None, 0.0)
    assert not y.any()


def test_negative_zeros_and_nans_come_back_to_the_bit() -> None:
    y = np.array([0.0, -0.0, np.nan, -1.0])
    before = y.tobytes()
    _, undo = mutate("method", y, "sort")
    undo(Shadows(), 0.0)
    assert y.tobytes() == before


def test_sorted_ties_pass_each_adjoint_on_once() -> None:
    y, shadows = np.array([2.0, 1.0, 2.0]), Shadows()
    _, undo = mutate("method", y, "sort")
    shadows.add(y, 0.0, np.array([1.0, 10.0, 100.0]))
    undo(shadows, 0.0)
    found = np.asarray(shadows.of(y))
    assert found[1] == 1.0
    assert sorted(found[[0, 2]]) == [10.0, 100.0]


# -- what is saved ------------------------------------------------------------------------------------


def test_only_what_is_overwritten_is_saved() -> None:
    import tracemalloc

    y, items = np.zeros(100_000), [0.0] * 100_000
    tracemalloc.start()
    try:
        kept = [mutate("setitem", y, slice(0, 4), 1.0), mutate("update_item", add, y, slice(0, 4), 1.0)]
        kept += [
            mutate("setitem", items, 4, 1.0),
            mutate("method", items, "pop"),
            mutate("method", items, "insert", 3, 1.0),
        ]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 20_000


# -- refusals, and what Python raises ---------------------------------------------------------------------

REFUSED: dict[str, tuple] = {
    "item_of_own_class": ("setitem", Own(), 0, 1.0),
    "item_of_subclass": ("setitem", OrderedDict(), 0, 1.0),
    "property": ("setattr", WithProperty(), "a", 1.0),
    "own_setattr": ("setattr", WithSetattr(), "a", 1.0),
    "attribute_of_class": ("setattr", Plain, "a", 1.0),
    "attribute_of_module": ("setattr", heapq, "a", 1.0),
    "attribute_of_array": ("setattr", np.ones(4), "shape", (2, 2)),
    "own_iadd": ("update", "add", Own(), 1.0),
    "added_own": ("update", "add", np.ones(3), Own()),
    "number_plus_own": ("update", "add", 1.0, Own()),
    "list_plus_own": ("update", "add", [1.0], Own()),
    "deque_repeated": ("update", "mul", deque([1.0]), 2),
    "masked": ("update", "mul", np.ma.array([1.0]), 2.0),
    "iterator": ("method", [1.0], "extend", iter([1.0])),
    "generator": ("setitem", [1.0], slice(0, 1), (k for k in range(2))),
    "items_of_table": ("method", [1.0], "extend", {1: 2.0}.values()),
    "own_append": ("method", Own(), "append", 1.0),
    "resize": ("method", np.ones(4), "resize", (2, 2)),
    "list_subclass": ("method", type("L", (list,), {})([1.0]), "append", 1.0),
    "own_stored": ("setitem", np.ones(3), ..., Own()),
    "table_from_mapping": ("method", {}, "update", np.ones((1, 2))),
    "sort_order": ("method", np.ones(2), "sort", 0, None, "f"),
    "unknown_function": ("function", np.random.default_rng(0).random, 3),
    "heap_of_own": ("function", heapq.heappush, type("L", (list,), {})([1.0]), 1.0),
    "shuffled_deque": ("function", random.Random(0).shuffle, deque([1, 2])),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda x: type(x).__name__)
def test_refused(case: str) -> None:
    with pytest.raises(UnsupportedMutation) as refusal:
        mutate(*REFUSED[case])
    assert refusal.value.reason
    assert refusal.value.remedy


RAISES: dict[str, tuple[type[Exception], tuple]] = {
    "pop_from_empty": (IndexError, ("method", [], "pop")),
    "remove_missing": (ValueError, ("method", [1.0], "remove", 2.0)),
    "list_index": (IndexError, ("setitem", [1.0], 3, 1.0)),
    "list_key": (TypeError, ("setitem", [1.0], "a", 1.0)),
    "slice_of_other_length": (ValueError, ("setitem", [1.0, 2.0, 3.0], slice(None, None, 2), [1.0])),
    "slice_of_number": (TypeError, ("setitem", [1.0, 2.0], slice(0, 1), 1.0)),
    "tuple_item": (TypeError, ("setitem", (1.0, 2.0), 0, 1.0)),
    "array_index": (IndexError, ("setitem", np.ones(2), 2, 1.0)),
    "array_shape": (ValueError, ("setitem", np.ones(2), ..., np.ones(3))),
    "read_only": (ValueError, ("setitem", np.broadcast_to(1.0, (3,)), 0, 1.0)),
    "update_shape": (ValueError, ("update", "add", np.ones(2), np.ones(3))),
    "update_cast": (TypeError, ("update", "add", np.ones(2, int), 0.5)),
    "divide_by_zero": (ZeroDivisionError, ("update", "truediv", 1.0, 0.0)),
    "list_minus_list": (TypeError, ("update", "sub", [1.0], [1.0])),
    "list_plus_number": (TypeError, ("update", "add", [1.0], 1.0)),
    "list_times_float": (TypeError, ("update", "mul", [1.0], 1.5)),
    "missing_key": (KeyError, ("method", {}, "pop", "a")),
    "missing_item": (KeyError, ("update_item", "add", {}, "a", 1.0)),
    "delete_missing": (KeyError, ("method", {}, "__delitem__", "a")),
    "popitem_of_nothing": (KeyError, ("method", {}, "popitem")),
    "unhashable_key": (TypeError, ("setitem", {}, [], 1.0)),
    "no_such_method": (AttributeError, ("method", np.ones(2), "itemset", 1.0)),
    "append_to_none": (AttributeError, ("method", None, "append", 1.0)),
    "popleft_of_nothing": (IndexError, ("method", deque(), "popleft")),
    "set_remove": (KeyError, ("method", {1}, "remove", 2)),
    "heappop_of_nothing": (IndexError, ("function", heapq.heappop, [])),
    "put_outside": (IndexError, ("function", np.put, np.ones(2), [5], [1.0])),
    "put_into_list": (TypeError, ("function", np.put, [1.0], [0], [1.0])),
    "place_nothing": (ValueError, ("function", np.place, np.ones(2), [True, True], [])),
    "copyto_cast": (TypeError, ("function", np.copyto, np.ones(2, int), np.ones(2))),
    "diagonal_of_vector": (ValueError, ("function", np.fill_diagonal, np.ones(2), 1.0)),
    "diagonal_of_box": (ValueError, ("function", np.fill_diagonal, np.ones((2, 3, 4)), 1.0)),
    "slot_unknown": (AttributeError, ("setattr", Slotted(1.0), "z", 1.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", RAISES, ids=lambda x: type(x).__name__)
def test_errors_are_those_of_python(case: str) -> None:
    """They pass through, and the operands are as they were."""
    error, (kind, *operands) = RAISES[case]
    with pytest.raises(error):
        run_plain(kind, tuple(operands), {})
    before = snapshot(operands)
    with pytest.raises(error):
        mutate(kind, *operands)
    assert snapshot(operands) == before


@pytest.mark.parametrize("ufunc, args", [(np.multiply, (2.0,)), (np.negative, ()), (np.maximum, (2.0,))])
def test_other_ufuncs_at_indices_are_taken_back_but_have_no_rule(ufunc: np.ufunc, args: tuple) -> None:
    for shadows in (None, Shadows()):
        y = np.array([1.0, 2.0, 3.0])
        expected = y.copy()
        ufunc.at(expected, [0, 0, 2], *args)
        _, undo = mutate("function", ufunc.at, y, [0, 0, 2], *args)
        assert np.array_equal(y, expected)
        if shadows is None:
            undo(None, 0.0)
        else:
            with pytest.raises(MissingRule):
                undo(shadows, 0.0)
        assert np.array_equal(y, [1.0, 2.0, 3.0])


def test_numbers_of_a_set_have_no_adjoints() -> None:
    items, shadows = [1.0], Shadows()
    _, undo = mutate("method", items, "extend", {2.0})
    shadows.slots(items)[1] = 1.0
    with pytest.raises(MissingRule):
        undo(shadows, 0.0)


def test_a_number_popped_from_a_set_has_no_adjoint_there() -> None:
    for members, d_value in [({2.0}, 0.0), ({2}, 1.0), ({"text"}, 0.0)]:
        before = set(members)
        _, undo = mutate("method", members, "pop")
        assert undo(Shadows(), d_value) == [0.0]
        assert members == before
    _, undo = mutate("method", {2.0}, "pop")
    with pytest.raises(MissingRule):
        undo(Shadows(), 1.0)


def test_mutates() -> None:
    assert mutates([], "append")
    assert mutates(np.ones(2), "fill")
    assert mutates(np.random.default_rng(0), "shuffle")
    assert not mutates(Own(), "append")
    assert not mutates((), "append")


# -- random programs --------------------------------------------------------------------------------------

_positions = st.integers(-4, 4)


def _step(name: str, *arguments: Any) -> Any:
    return st.tuples(st.just(name), *arguments)


_few = st.integers(0, 4)
_list_steps = st.one_of(
    _step("append"), _step("pop", _positions), _step("insert", _positions), _step("extend", _few),
    _step("reverse"), _step("sort"), _step("item", _positions), _step("itself"),
    _step("multiply", _positions),
    _step("slice", _positions, _positions, _few), _step("delete", _positions, _positions), _step("push"),
    _step("heappop"), _step("times", st.integers(-1, 2)),
)  # fmt: skip


def list_step(step: tuple, items: Any, number: Callable[[], float]) -> tuple:
    """The operands of `mutate` for one step on a list."""
    match step:
        case ("append",):
            return "method", items, "append", number()
        case ("pop", k):
            return "method", items, "pop", k
        case ("insert", k):
            return "method", items, "insert", k, number()
        case ("extend", n):
            return "method", items, "extend", [number() for _ in range(n)]
        case ("reverse" | "sort",):
            return "method", items, step[0]
        case ("item", k):
            return "setitem", items, k, number()
        case ("itself",):
            return "update", add, items, items
        case ("multiply", k):
            return "update_item", mul, items, k, number()
        case ("slice", a, b, n):
            return "setitem", items, slice(a, b), [number() for _ in range(n)]
        case ("delete", a, b):
            return "method", items, "__delitem__", slice(a, b)
        case ("push",):
            return "function", heapq.heappush, items, number()
        case ("heappop",):
            return "function", heapq.heappop, items
        case ("times", n):
            return "update", mul, items, n
    raise AssertionError(step)


_deque_steps = st.one_of(
    _step("append"), _step("appendleft"), _step("pop"), _step("popleft"), _step("reverse"),
    _step("extend", _few), _step("extendleft", _few), _step("rotate", _positions), _step("item", _positions),
    _step("multiply", _positions),
)  # fmt: skip


def deque_step(step: tuple, items: Any, number: Callable[[], float]) -> tuple:
    match step:
        case ("append" | "appendleft",):
            return "method", items, step[0], number()
        case ("extend" | "extendleft", n):
            return "method", items, step[0], [number() for _ in range(n)]
        case ("rotate", n):
            return "method", items, "rotate", n
        case ("item", k):
            return "setitem", items, k, number()
        case ("multiply", k):
            return "update_item", mul, items, k, number()
    return "method", items, step[0]


_keys = st.sampled_from("abcd")
_dict_steps = st.one_of(
    _step("set", _keys), _step("pop", _keys), _step("setdefault", _keys), _step("multiply", _keys),
    _step("popitem"), _step("clear"), _step("update", st.lists(_keys, max_size=3, unique=True)),
)  # fmt: skip


def dict_step(step: tuple, table: Any, number: Callable[[], float]) -> tuple:
    match step:
        case ("set", key):
            return "setitem", table, key, number()
        case ("pop", key):
            return "method", table, "pop", key, number()
        case ("setdefault", key):
            return "method", table, "setdefault", key, number()
        case ("multiply", key):
            return "update_item", mul, table, key, number()
        case ("update", keys):
            return "method", table, "update", {key: number() for key in keys}
    return "method", table, step[0]


_PROGRAMS: dict[str, tuple[Any, Any, Callable[[Source], Any]]] = {
    "list": (_list_steps, list_step, lambda s: s.numbers(4)),
    "deque": (_deque_steps, deque_step, lambda s: deque(s.numbers(4))),
    "bounded": (_deque_steps, deque_step, lambda s: deque(s.numbers(4), 5)),
    "dict": (_dict_steps, dict_step, lambda s: dict(zip("bca", s.numbers(3)))),
}


@pytest.mark.parametrize("kind", _PROGRAMS, ids=lambda x: type(x).__name__)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_programs_of_writes(kind: str, data: Any) -> None:
    """Several writes to one container, undone in turn: the Jacobian is that of the whole program."""
    steps, expand, make = _PROGRAMS[kind]
    program = data.draw(st.lists(steps, max_size=8))
    v = fresh_vector()

    def run(v: np.ndarray) -> tuple[list[float], list[tuple]]:
        s = Source(v)
        owner, done, values = make(s), [], []
        for step in program:
            operands = expand(step, owner, s.number)
            try:
                values += flat(run_plain(operands[0], operands[1:], {}))
            except (IndexError, KeyError):
                done.append(False)
                continue
            done.append(True)
            if len(owner) > 40:
                break
        return flat(owner) + values, done

    expected, done = run(v)
    source = Source(v)
    owner = make(source)
    before = snapshot(owner)
    undos = []
    values: list[Any] = []
    for step, runs in zip(program, done):
        operands = expand(step, owner, source.number)
        if not runs:
            with pytest.raises((IndexError, KeyError)):
                mutate(*operands)
            continue
        value, undo = mutate(*operands)
        undos.append((undo, value, len(flat(value)), data_of(operands[0], operands[1:])))
        values += flat(value)
    assert flat(owner) + values == expected
    w = list(np.random.default_rng(1).standard_normal(len(expected)))
    shadows, rest = Shadows(), list(w)
    spread(shadows, owner, rest)
    d_values: list[Any] = []
    for _, _, size, _ in undos:
        part, rest = rest[:size], rest[size:]
        d_values.append(part)
    gradient = np.zeros(source.used)

    def note(x: Any, g: float) -> None:
        if isinstance(x, float) and (place := np.flatnonzero(v == x)).size:
            gradient[place[0]] += g

    for (undo, value, _, operands), part in zip(reversed(undos), reversed(d_values)):
        d_value = spread(shadows, value, part)
        for x, g in zip(operands, undo(shadows, d_value)):
            note(x, g)
            if x is not owner:
                for place, key, number in numbers_in(x):
                    note(number, shadows.slots(place)[key])
    assert snapshot(owner) == before
    for place, key, number in numbers_in(owner):
        note(number, shadows.slots(place)[key])
    step = 1e-6
    for k in range(source.used):
        e = np.zeros(SIZE)
        e[k] = step
        column = (np.array(run(v + e)[0]) - np.array(run(v - e)[0])) / (2 * step)
        assert abs(gradient[k] - np.dot(w, column)) < 1e-6 * (1 + abs(gradient[k]))


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_random_indices(data: Any) -> None:
    """Stores and updates through any index NumPy takes, of values of any shape that broadcasts."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    index = data.draw(
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3)),
            hnp.arrays(bool, shape),
            hnp.arrays(bool, shape[:1]),
        )
    )
    picked = np.zeros(shape)[index].shape
    if int(np.prod(shape)) + int(np.prod(picked)) > SIZE:
        return
    cut = data.draw(st.integers(0, len(picked)))
    value = tuple(data.draw(st.sampled_from([1, n])) if n else n for n in picked[cut:])
    if data.draw(st.booleans()):
        check("setitem", lambda s: (s.array(*shape), index, s.array(*value)), native=data.draw(st.booleans()))
    else:
        name = data.draw(st.sampled_from(["add", "mul", "truediv"]))
        check(
            "update_item",
            lambda s: (name, s.array(*shape), index, s.array(*value)),
            native=data.draw(st.booleans()),
        )
