"""A grammar of programs that write in place, drawn by Hypothesis as Python text.

`programs(theme)` draws a `Drawn` program: the text of a file with a function `program` and whatever it
calls, its arguments, and the names of the productions that were used. The drawer knows the shape of
every array, which names are bound on every path, and what may be written, so that nearly all programs run.
What may share memory with what it does not know, and need not: plain Python decides.

A statement is a production: a method marked `@production`, which appends lines to the program, or
raises NothingSuits. Programs keep their values tame, so that a derivative can be compared in absolute terms.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from tests.mutation_callees import CELL, HELPERS, STATE

Shape = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Float:
    """A number, of Python or of NumPy."""


@dataclass(frozen=True)
class Array:
    """`own`: it may be written. In most programs the caller's arrays may not, nor what shares with them."""

    shape: Shape
    own: bool = True


@dataclass(frozen=True)
class List:
    """Never empty, of any length: a loop may have appended. Its items are of one kind."""

    item: Kind
    own: bool = True


@dataclass(frozen=True)
class Record:
    """A tuple, a dict or an object; `fields`: its keys or attributes, as they are written after its name."""

    sort: str
    fields: tuple[tuple[str, Kind], ...]


Kind = Float | Array | List | Record

FLOAT = Float()


@dataclass(frozen=True)
class Place:
    """An expression that can be read; `rebindable`: it can stand on the left of `=`."""

    text: str
    kind: Kind
    rebindable: bool

    @property
    def shape(self) -> Shape:
        assert isinstance(self.kind, Array)
        return self.kind.shape

    @property
    def item(self) -> Kind:
        assert isinstance(self.kind, List)
        return self.kind.item


@dataclass
class Drawn:
    """A program: its text, the arguments it is called with, and which productions made it."""

    text: str
    args: tuple[Any, ...]
    productions: list[str]


# Views of vectors and of matrices, and other functions that give one.
VIEWS = {
    1: """
        {}[:] | {}[1:] | {}[:-1] | {}[::2] | {}[::-1] | {}[-1:0:-1] | {}[1::2] | {}[:2] | {}[...] | {}[None]
        {}[:, None] | {}.T | {}.reshape(-1) | {}.ravel() | {}.reshape(2, 2) | {}[1:][::-1] | {}[::-2]
        {}.reshape(1, -1) | np.flip({}) | np.reshape({}, -1) | np.atleast_2d({})
        np.expand_dims({}, 1) | np.asarray({})""",
    2: """
        {}[0] | {}[-1] | {}[:, 0] | {}[:, -1] | {}[1:] | {}[:, 1:] | {}[::-1] | {}[:, ::-1] | {}[::2, 1:]
        {}[1:, :-1] | {}.T | {}.reshape(-1) | {}.ravel() | {}.T.reshape(-1) | {}.swapaxes(0, 1) | {}.T[0]
        {}[..., 0] | {}[1, :] | {}.reshape(-1)[::2] | {}[1:][0] | {}[:, None, 0] | {}.T.ravel() | {}[::-1, 0]
        {}.squeeze() | {}.transpose()[1:] | np.transpose({}) | np.fliplr({})
        np.ravel({}) | np.diagonal({}) | np.swapaxes({}, 0, 1) | np.einsum('ii->i', {})
        np.reshape({}, -1)[1:] | np.asarray({})[:, 1]""",
}


@functools.cache
def views(shape: Shape) -> tuple[tuple[str, Shape, bool], ...]:
    """Templates of views of an array of this shape, the shape each gives, and whether it may be written."""
    found = []
    for template in re.split(r" *[|\n] *", VIEWS[len(shape)].strip()):
        base = np.zeros(shape)
        try:
            view = eval(template.format("base"), {"np": np, "base": base})
        except (ValueError, IndexError, np.exceptions.AxisError):
            continue
        if view.size and view.ndim <= 2:
            found.append((template, view.shape, bool(view.flags.writeable)))
    return tuple(found)


class NothingSuits(Exception):
    """A production has nothing in scope to work on; what it has appended is taken back."""


Production = Callable[["Drawer"], None]
PRODUCTIONS: dict[str, Production] = {}
FAMILY: dict[str, str] = {}
WEIGHT: dict[str, int] = {}


def production(family: str, weight: int = 2) -> Callable[[Production], Production]:
    def register(method: Production) -> Production:
        name = method.__name__
        PRODUCTIONS[name], FAMILY[name], WEIGHT[name] = method, family, weight
        return method

    return register


# A theme names the families that are drawn more often, and how much more often.
THEMES: dict[str, dict[str, int]] = {
    "elements": {"store": 5, "fresh": 2, "control": 1},
    "views": {"view": 6, "store": 3, "augmented": 2},
    "augmented": {"augmented": 6, "fresh": 2, "view": 1},
    "ufuncs": {"ufunc": 6, "fresh": 2, "view": 2},
    "lists": {"list": 6, "store": 1, "control": 2},
    "records": {"record": 6, "store": 2, "control": 1},
    "calls": {"call": 6, "view": 1, "list": 1},
    "loops": {"control": 7, "store": 4, "augmented": 2},
    "everything": {},
}


class Drawer:
    """Draws one program. `scope`: each name bound on every path to here, with its kind, which stays."""

    def __init__(self, source: random.Random, theme: str) -> None:
        self.source = source
        self.theme = theme
        self.lines: list[str] = []
        self.indent = 1
        self.scope: dict[str, Kind] = {}
        self.counters: list[tuple[str, int]] = []
        self.in_loop = False
        self.growth = True
        self.used: list[str] = []
        self.helpers: list[str] = []
        self.numbers = itertools.count()
        self.left = 0
        self.table = [
            name
            for name in PRODUCTIONS
            for _ in range(WEIGHT[name] * (1 + 2 * THEMES[theme].get(FAMILY[name], 0)))
        ]

    # -- drawing -----------------------------------------------------------------------------------

    def below(self, stop: int) -> int:
        return self.source.randrange(stop) if stop > 1 else 0

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == one_in - 1

    def pick(self, *options: T) -> T:
        return options[self.below(len(options))]

    def any_of(self, options: Sequence[T]) -> T | None:
        return options[self.below(len(options))] if options else None

    def one_of(self, options: Sequence[T]) -> T:
        """Like `any_of` in a production, which cannot do without."""
        self.only_if(bool(options))
        return options[self.below(len(options))]

    def only_if(self, condition: bool) -> None:
        if not condition:
            raise NothingSuits

    def mark(self, name: str) -> None:
        self.used.append(name)

    def emit(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def new(self, stem: str, kind: Kind) -> str:
        """A name that is not in scope yet."""
        letters = {"float": "abce", "array": "yzuvw", "list": "LMN"}.get(stem, "")
        free = [letter for letter in letters if letter not in self.scope]
        name = free[0] if free else f"{stem[0]}{next(self.numbers)}"
        self.scope[name] = kind
        return name

    def bind(self, stem: str, kind: Kind, text: str) -> None:
        """`name = text` with a new name. The text is drawn before, so it does not read the name."""
        self.emit(f"{self.new(stem, kind)} = {text}")

    # -- what is in scope --------------------------------------------------------------------------

    def places(self) -> Iterator[Place]:
        for name, kind in self.scope.items():
            yield from self.inside(Place(name, kind, True))

    def inside(self, place: Place) -> Iterator[Place]:
        yield place
        match place.kind:
            case List(item, own):
                index = f"[{self.item_index(place.text)}]"
                yield from self.inside(Place(place.text + index, item, own))
            case Record(sort, fields):
                for key, kind in fields:
                    yield from self.inside(Place(place.text + key, kind, sort != "tuple"))

    def item_index(self, text: str) -> str:
        return self.pick("0", "-1", *[f"{k} % len({text})" for k, _ in self.counters[-1:]])

    def floats(self, rebindable: bool = False) -> list[Place]:
        return [p for p in self.places() if p.kind == FLOAT and (p.rebindable or not rebindable)]

    def arrays(
        self, ndim: int | None = None, own: bool = True, shape: Shape | None = None, least: int = 1
    ) -> list[Place]:
        """`own`: only those that may be written. `least`: at least so many elements along the first axis."""
        return [
            p
            for p in self.places()
            if isinstance(p.kind, Array)
            and (p.kind.own or not own)
            and (ndim is None or len(p.shape) == ndim)
            and (shape is None or p.shape == shape)
            and p.shape[0] >= least
        ]

    def target(self, ndim: int | None = None, least: int = 1, shape: Shape | None = None) -> Place:
        """An array to write into: one in scope, sometimes a view of one that has no name."""
        places = self.arrays(ndim, shape=shape, least=least)
        if self.chance(5):
            whole = self.one_of(self.arrays())
            seen = [
                Place(template.format(whole.text), Array(s), False)
                for template, s, writable in views(whole.shape)
                if writable and s and s[0] >= least and ndim in (None, len(s)) and shape in (None, s)
            ]
            places = seen or places
        return self.one_of(places)

    # -- expressions -------------------------------------------------------------------------------

    def number(self) -> str:
        return self.pick("0.5", "0.3", "-0.7", "1.2", "0.9", "-1.1", "2.0")

    def index(self, length: int) -> str:
        choices = [str(k) for k in range(length)] + ["-1"]
        for k, bound in self.counters[-2:]:
            choices.append(f"{k} % {length}" if bound > length else k)
            choices.append(f"({k} + 1) % {length}" if bound >= length else f"{k} + 1")
            choices.append(f"-1 - {k} % {length}" if bound > length else f"-1 - {k}")
        return self.pick(*choices)

    def element(self, place: Place) -> str:
        shape = place.shape
        if len(shape) == 2 and self.chance(5):
            return f"{place.text}[{self.index(shape[0])}][{self.index(shape[1])}]"
        return f"{place.text}[{', '.join(self.index(n) for n in shape)}]"

    def scalar(self, depth: int = 1) -> str:
        form = self.below(14 if depth else 7)
        inner = lambda: self.scalar(depth - 1)  # noqa: E731
        match form:
            case 0 | 1 | 2:
                place = self.any_of(self.floats())
                return place.text if place else self.number()
            case 3 | 4 | 5:
                place = self.any_of(self.arrays(own=False))
                return self.element(place) if place else self.number()
            case 6:
                return self.pick(self.number(), *[f"0.3 * {k}" for k, _ in self.counters])
            case 7 | 8:
                return f"({inner()} {self.pick('+', '-', '*', '*')} {inner()})"
            case 9:
                return f"np.{self.pick('tanh', 'sin', 'cos')}({inner()})"
            case 10:
                divisor = inner()
                return f"{inner()} / (1.5 + {divisor} * {divisor})"
            case 11:
                whole = self.array_of(None, own=False)
                return f"{whole[0]}.{self.pick('sum', 'mean', 'sum', 'max')}()" if whole else self.number()
            case 12:
                first = self.any_of(self.arrays(1, own=False))
                if first is None:
                    return inner()
                second = self.array(first.shape, 0)
                return f"({first.text} @ {second}) * 0.4"
            case _:
                numbers = [p for p in self.places() if isinstance(p.kind, List) and p.kind.item == FLOAT]
                place = self.any_of(numbers)
                return f"sum({place.text}) * 0.4" if place else f"-{inner()}"

    def array_of(self, shape: Shape | None, own: bool) -> tuple[str, Shape] | None:
        """An array in scope or a view of one, of this shape if one is asked for; `own`: it may be written."""
        found: list[tuple[str, Shape]] = []
        for place in self.arrays(own=own):
            found.append((place.text, place.shape))
            found += [(t.format(place.text), s) for t, s, w in views(place.shape) if w or not own]
        if shape is None:
            return self.any_of(found)
        plain = [entry for entry in found if entry[1] == shape and entry[0].isidentifier()]
        if plain and self.chance(2):
            return self.any_of(plain)
        return self.any_of([entry for entry in found if entry[1] == shape])

    def array(self, shape: Shape, depth: int = 1) -> str:
        """An expression of exactly this shape; it may be an array in scope itself."""
        form = self.below(10) if depth else 0
        match form:
            case 0 | 1 | 2:
                found = self.array_of(shape, own=False)
                if found is not None:
                    return found[0]
                return f"np.full({shape}, {self.scalar(0)})"
            case 3 | 4 | 5:
                left, right = self.array(shape, depth - 1), self.operand(shape, depth - 1)
                if self.chance(3):
                    left, right = right, left
                return f"({left} {self.pick('+', '-', '*', '*')} {right})"
            case 6:
                return f"np.{self.pick('tanh', 'sin', 'cos')}({self.array(shape, depth - 1)})"
            case 7:
                below = self.array(shape, depth - 1)
                return f"{self.array(shape, 0)} / (1.5 + {below} * {below})"
            case 8:
                return (
                    f"np.where({self.array(shape, 0)} > {self.threshold()}, "
                    f"{self.array(shape, 0)}, {self.operand(shape, 0)})"
                )
            case _:
                matrix = [p for p in self.arrays(2, own=False) if p.shape[:1] == shape]
                place = self.any_of(matrix) if len(shape) == 1 else None
                if place is None:
                    return f"-{self.array(shape, depth - 1)}"
                return f"({place.text} @ {self.array(place.shape[1:], 0)})"

    def operand(self, shape: Shape, depth: int) -> str:
        """An expression that broadcasts to this shape."""
        form = self.below(6)
        if form < 2:
            return self.scalar(depth)
        if len(shape) == 2 and form == 2:
            return self.array(self.pick(shape[1:], (shape[0], 1), (1, shape[1])), 0)
        return self.array(shape, depth)

    def fresh(self, shape: Shape) -> str:
        """An expression of this shape that shares no memory with anything."""
        form = self.below(6)
        match form:
            case 0:
                return f"{self.array(shape, 0)} * {self.number()}"
            case 1:
                return f"{self.array(shape, 0)}.copy()"
            case 2:
                return f"np.{self.pick('tanh', 'sin')}({self.array(shape)})"
            case 3:
                return f"{self.array(shape, 0)} + {self.operand(shape, 0)}"
            case 4 if len(shape) == 1:
                return f"np.array([{', '.join(self.scalar(0) for _ in range(shape[0]))}])"
            case _:
                return f"np.array({self.array(shape)})"

    def threshold(self) -> str:
        """Neither arguments nor results are these numbers, so comparisons have no ties."""
        return self.pick("0.1373", "-0.2137", "0.5711")

    def condition(self) -> str:
        form = self.below(5)
        if form >= 3 and self.counters:
            k, bound = self.counters[-1]
            return self.pick(f"{k} == 1", f"{k} > 0", f"{k} % 2", f"{k} != {bound - 1}")
        if form == 2:
            whole = self.array_of(None, own=False)
            if whole is not None:
                return f"{whole[0]}.{self.pick('sum', 'max')}() {self.pick('>', '<')} {self.threshold()}"
        return f"{self.scalar(0)} {self.pick('>', '<')} {self.threshold()}"

    def some_shape(self) -> Shape:
        """The shape of something in scope, so that arrays fit one another."""
        return self.one_of(self.arrays(own=False)).shape

    def repeated(self, length: int) -> tuple[str, int]:
        """A list of indices, often with repeats, and its length."""
        size = 1 + self.below(3)
        return f"[{', '.join(str(self.below(length + 1) - 1) for _ in range(size))}]", size

    def bind_array(self, text: str, kind: Array) -> None:
        """`name = text`, with a new name or one of the same shape that may hold it."""
        fits = [
            p
            for p in self.places()
            if p.rebindable
            and isinstance(p.kind, Array)
            and p.shape == kind.shape
            and (kind.own or not p.kind.own)
        ]
        place = self.any_of(fits)
        if place is not None and (self.chance(2) or self.indent > 1 and not self.chance(3)):
            self.emit(f"{place.text} = {text}")
        else:
            self.bind("array", kind, text)

    # -- statements: new arrays, numbers -----------------------------------------------------------

    @production("fresh", 4)
    def fresh_array(self) -> None:
        shape = self.some_shape()
        self.bind_array(self.fresh(shape), Array(shape))

    @production("fresh", 3)
    def number_assigned(self) -> None:
        place = self.any_of(self.floats(rebindable=True))
        text = self.scalar(2)
        if place is not None and self.chance(2):
            self.emit(f"{place.text} = {text}")
        else:
            self.bind("float", FLOAT, text)

    @production("fresh")
    def zeros_filled(self) -> None:
        """Memory without values of its own, then filled, in one store or in a loop."""
        shape = self.some_shape()
        size = str(shape[0]) if len(shape) == 1 else str(shape)
        like = self.array(shape, 0)
        maker = self.pick(
            f"np.empty({size})", f"np.zeros({size})", f"np.empty_like({like})", f"np.ones({size})"
        )
        name = f"t{next(self.numbers)}"
        self.emit(f"{name} = {maker}")
        if "empty" not in maker and self.chance(2):
            pass
        elif self.chance(2):
            k = f"k{next(self.numbers)}"
            self.emit(f"for {k} in range({shape[0]}):")
            self.counters.append((k, shape[0]))
            value = self.scalar() if len(shape) == 1 else self.operand(shape[1:], 1)
            self.emit(f"    {name}[{k}] = {value}")
            self.counters.pop()
        else:
            self.emit(f"{name}[{self.pick(':', '...', '::-1')}] = {self.operand(shape, 1)}")
        self.scope[name] = Array(shape)

    # -- aliases and views -------------------------------------------------------------------------

    @production("view", 3)
    def alias(self) -> None:
        place = self.one_of(self.arrays(own=False))
        self.bind_array(place.text, place.kind)

    @production("view", 6)
    def view(self) -> None:
        place = self.one_of(self.arrays(own=self.below(4) > 0))
        template, shape, writable = self.one_of(views(place.shape))
        self.bind_array(template.format(place.text), Array(shape, place.kind.own and writable))

    @production("view", 1)
    def diagonal_by_stride(self) -> None:
        place = self.one_of([p for p in self.arrays(2) if len(set(p.shape)) == 1])
        n = place.shape[0]
        self.bind("array", Array((n,)), f"{place.text}.reshape(-1)[::{n + 1}]")

    @production("view")
    def chosen_alias(self) -> None:
        """Which of two arrays it is, only the run knows."""
        first = self.one_of(self.arrays())
        second = self.one_of(self.arrays(shape=first.shape))
        condition = self.condition()
        name = self.new("array", first.kind)
        if self.chance(2):
            self.emit(f"{name} = {first.text} if {condition} else {second.text}")
        else:
            self.emit(f"{name} = {first.text}")
            self.emit(f"if {condition}:")
            self.emit(f"    {name} = {second.text}")

    @production("view")
    def swapped_names(self) -> None:
        names = [p for p in self.arrays() if p.rebindable]
        first = self.one_of(names)
        second = self.one_of([p for p in names if p.kind == first.kind and p.text != first.text])
        self.emit(f"{first.text}, {second.text} = {second.text}, {first.text}")

    # -- stores ------------------------------------------------------------------------------------

    @production("store", 6)
    def element_store(self) -> None:
        place = self.target()
        self.emit(f"{self.element(place)} = {self.scalar(2)}")

    @production("store")
    def constant_store(self) -> None:
        place = self.target()
        where = self.pick(self.element(place), f"{place.text}[1:]", f"{place.text}[...]")
        self.emit(f"{where} = {self.pick('1', '0.5', '0', '0.25', '-1')}")

    @production("store", 5)
    def slice_store(self) -> None:
        place = self.target()
        shape = place.shape
        inside = [(t, s) for t, s, _ in views(shape) if t.startswith("{}[")]
        template, part = self.pick(*inside, ("{}[:]", shape), ("{}[...]", shape))
        self.emit(f"{template.format(place.text)} = {self.operand(part, 1)}")

    @production("store")
    def overlapping_store(self) -> None:
        place = self.target(least=2)
        y = place.text
        scale = self.pick("", "", " * 0.8", f" * {self.scalar(0)}")
        left, right = self.pick(("1:", ":-1"), (":-1", "1:"), (":", "::-1"), ("::-1", ":"))
        self.emit(f"{y}[{left}] = {y}[{right}]{scale}")

    @production("store", 3)
    def mask_store(self) -> None:
        place = self.target()
        y = place.text
        shape = place.shape
        mask = f"{self.array(shape, 0)} {self.pick('>', '<')} {self.threshold()}"
        if self.chance(3):
            name = f"mask{next(self.numbers)}"
            self.emit(f"{name} = {mask}")
            mask = name
        if self.chance(2):
            self.emit(f"{y}[{mask}] = {self.scalar()}")
        else:
            self.emit(f"{y}[{mask}] = ({self.array(shape)})[{mask}]")

    @production("store", 3)
    def gathered_store(self) -> None:
        """Integer arrays as indices; where one occurs twice the last value stays."""
        place = self.target()
        y, shape = place.text, place.shape
        rows, size = self.repeated(shape[0])
        if self.chance(3):
            rows = f"np.array({rows})"
        if len(shape) == 2 and self.chance(2):
            columns = f"[{', '.join(str(self.below(shape[1])) for _ in range(size))}]"
            self.emit(f"{y}[{rows}, {columns}] = {self.operand((size,), 0)}")
        else:
            self.emit(f"{y}[{rows}] = {self.operand((size, *shape[1:]), 1)}")

    @production("store")
    def swapped_elements(self) -> None:
        place = self.target(least=2)
        y, shape = place.text, place.shape
        i, j = self.index(shape[0]), self.index(shape[0])
        if len(shape) == 1 and self.chance(2):
            self.emit(f"{y}[{i}], {y}[{j}] = {y}[{j}], {y}[{i}]")
        else:
            self.emit(f"{y}[[0, 1]] = {y}[[1, 0]]")

    @production("store", 1)
    def newaxis_store(self) -> None:
        place = self.target(1)
        n = place.shape[0]
        if self.chance(2):
            self.emit(f"{place.text}[None, :] = {self.operand((1, n), 0)}")
        else:
            self.emit(f"{place.text}[:, None] = {self.operand((n, 1), 0)}")

    @production("store")
    def read_then_overwritten(self) -> None:
        """A product needs the old value after it has gone."""
        place = self.target()
        read = self.element(place)
        self.bind("float", FLOAT, f"{read} * {self.scalar(0)}")
        self.emit(f"{read} = {self.scalar()}")

    # -- augmented ---------------------------------------------------------------------------------

    def augmented_operand(self, operator: str, operand: Callable[[], str]) -> str:
        if operator == "/=":
            below = operand()
            return f"1.5 + {below} * {below}"
        return operand()

    @production("augmented", 4)
    def augmented_element(self) -> None:
        place = self.target()
        operator = self.pick("+=", "-=", "*=", "/=", "+=", "*=")
        self.emit(f"{self.element(place)} {operator} {self.augmented_operand(operator, self.scalar)}")

    @production("augmented", 4)
    def augmented_slice(self) -> None:
        place = self.target()
        inside = [(t, s) for t, s, w in views(place.shape) if t.startswith("{}[") and w]
        template, part = self.pick(*inside)
        operator = self.pick("+=", "-=", "*=", "/=")
        value = self.augmented_operand(operator, lambda: self.operand(part, 1))
        self.emit(f"{template.format(place.text)} {operator} {value}")

    @production("augmented", 4)
    def augmented_array(self) -> None:
        place = self.one_of([p for p in self.arrays() if p.rebindable])
        shape = place.shape
        operator = self.pick("+=", "-=", "*=", "/=")
        value = self.augmented_operand(operator, lambda: self.operand(shape, 1))
        self.emit(f"{place.text} {operator} {value}")

    @production("augmented")
    def augmented_number(self) -> None:
        place = self.one_of(self.floats(rebindable=True))
        operator = self.pick("+=", "-=", "*=", "/=")
        self.emit(f"{place.text} {operator} {self.augmented_operand(operator, self.scalar)}")

    @production("augmented")
    def augmented_gather(self) -> None:
        """Unlike np.add.at: where an index occurs twice, one of the additions is lost."""
        place = self.target()
        shape = place.shape
        operator = self.pick("+=", "-=", "*=")
        if self.chance(2):
            index, size = self.repeated(shape[0])
            value = self.operand((size, *shape[1:]), 0)
        else:
            index = f"{self.array(shape, 0)} > {self.threshold()}"
            value = self.scalar()
        self.emit(f"{place.text}[{index}] {operator} {value}")

    @production("augmented", 1)
    def augmented_power(self) -> None:
        place = self.target()
        where = self.pick(self.element(place), f"{place.text}[:1]", f"{place.text}[...]")
        self.emit(f"{where} **= 2")

    # -- functions that write ----------------------------------------------------------------------

    @production("ufunc", 4)
    def ufunc_out(self) -> None:
        place = self.target()
        y, shape = place.text, place.shape
        name = self.pick("multiply", "add", "subtract", "multiply", "maximum", "minimum")
        first, second = self.array(shape, 1), self.operand(shape, 0)
        if self.chance(3):
            first = y
        out = "out=" if name in ("maximum", "minimum") else self.pick("out=", "")
        self.emit(f"np.{name}({first}, {second}, {out}{y})")

    @production("ufunc", 3)
    def unary_out(self) -> None:
        place = self.target()
        y, shape = place.text, place.shape
        name = self.pick("tanh", "sin", "negative", "cos", "square")
        call = f"np.{name}({self.pick(y, self.array(shape, 1))}, out={y})"
        if place.text.isidentifier() and self.chance(3):
            self.bind("array", Array(shape), call)
        else:
            self.emit(call)

    @production("ufunc")
    def reduction_out(self) -> None:
        source = self.one_of(self.arrays(2, own=False))
        axis = self.below(2)
        place = self.target(1, shape=(source.shape[1 - axis],))
        form = self.pick(
            "np.sum({}, axis={}, out={})", "{}.sum(axis={}, out={})", "np.mean({}, axis={}, out={})"
        )
        self.emit(form.format(source.text, axis, place.text))

    @production("ufunc")
    def product_out(self) -> None:
        source = self.one_of(self.arrays(2, own=False))
        rows, columns = source.shape
        place = self.one_of(self.arrays(1, shape=(rows,)))
        name, text, vector = self.pick("dot", "matmul"), place.text, self.array((columns,), 1)
        if name == "dot":  # which asks for a contiguous destination
            text = self.new("array", Array((rows,)))
            self.emit(f"{text} = np.zeros({rows})")
        self.emit(f"np.{name}({source.text}, {vector}, out={text})")

    @production("ufunc", 1)
    def cumulative_out(self) -> None:
        place = self.target(1)
        shape = place.shape
        self.emit(f"np.cumsum({self.pick(place.text, self.array(shape, 1))}, out={place.text})")

    @production("ufunc", 3)
    def add_at(self) -> None:
        place = self.target()
        shape = place.shape
        index, size = self.repeated(shape[0])
        name = self.pick("add", "add", "subtract")
        self.emit(f"np.{name}.at({place.text}, {index}, {self.operand((size, *shape[1:]), 1)})")

    @production("ufunc", 3)
    def copyto(self) -> None:
        place = self.target()
        shape = place.shape
        where = f", where={self.array(shape, 0)} > {self.threshold()}" if self.chance(3) else ""
        self.emit(f"np.copyto({place.text}, {self.operand(shape, 1)}{where})")

    @production("ufunc", 3)
    def fill(self) -> None:
        place = self.target()
        if len(place.shape) == 2 and self.chance(2):
            self.emit(f"np.fill_diagonal({place.text}, {self.scalar()})")
        else:
            self.emit(f"{place.text}.fill({self.scalar()})")

    @production("ufunc")
    def sort(self) -> None:
        place = self.target(least=2)
        self.emit(f"{place.text}.sort({self.pick('', 'axis=0')})")

    # -- lists -------------------------------------------------------------------------------------

    def lists(self, of: type | None = None, growing: bool = False) -> list[Place]:
        if growing and not self.growth:
            return []
        return [
            p
            for p in self.places()
            if isinstance(p.kind, List) and p.kind.own and (of is None or isinstance(p.kind.item, of))
        ]

    def item_for(self, kind: Kind) -> str:
        """An expression that a list of such items can take in."""
        match kind:
            case Float():
                return self.scalar()
            case Array(shape):
                found = self.array_of(shape, own=True)
                return found[0] if found and self.chance(2) else self.fresh(shape)
            case _:
                return self.one_of([p for p in self.places() if p.kind == kind]).text

    @production("list", 3)
    def list_made(self) -> None:
        form = self.below(4)
        if form == 0:
            shape = self.some_shape()
            kind = List(Array(shape))
            items = [self.item_for(kind.item) for _ in range(2)]
            self.bind("list", kind, f"[{', '.join(items)}]")
        elif form == 1:
            shape = self.some_shape()
            text = f"[{self.fresh(shape)} for k in range({self.pick('2', '3')})]"
            self.bind("list", List(Array(shape)), text)
        else:
            self.list_of_numbers()

    def list_of_numbers(self) -> None:
        items = [self.scalar() for _ in range(1 + self.below(3))]
        self.bind("list", List(FLOAT), f"[{', '.join(items)}]")

    @production("list")
    def list_alias(self) -> None:
        place = self.one_of(self.lists())
        self.bind("list", place.kind, place.text)

    @production("list", 4)
    def list_grown(self) -> None:
        place = self.one_of(self.lists(growing=True))
        item = self.item_for(place.item)
        form = self.below(7)
        if form < 3:
            self.emit(f"{place.text}.append({item})")
        elif form < 5:
            self.mark("list_insert")
            self.emit(f"{place.text}.insert({self.pick('0', '1', '-1')}, {item})")
        elif form == 5:
            self.mark("list_extend")
            self.emit(f"{place.text}.extend([{item}, {self.item_for(place.item)}])")
        else:
            self.mark("list_augmented")
            self.emit(f"{place.text} += [{item}]")

    @production("list", 3)
    def list_popped(self) -> None:
        place = self.one_of(self.lists())
        self.only_if(self.growth)
        where = self.pick("", "", "0")
        if place.item == FLOAT:
            known = self.any_of([p for p in self.floats(rebindable=True) if place.text not in p.text])
            target = f"{known.text} = " if known else ""
            self.emit(f"if len({place.text}) > 1:")
            self.emit(f"    {target}{place.text}.pop({where})")
            return
        self.emit(f"if len({place.text}) > 1:")
        if isinstance(place.item, Array) and self.chance(2):
            self.emit(f"    p = {place.text}.pop({where})")
            self.emit(f"    p[0] = {self.scalar(0)}")
            self.emit(f"    {place.text}[0][...] = p")
        else:
            self.emit(f"    {place.text}.pop({where})")

    @production("list", 4)
    def list_item_store(self) -> None:
        place = self.one_of(self.lists())
        item = self.item_for(place.item)
        self.emit(f"{place.text}[{self.item_index(place.text)}] = {item}")

    @production("list")
    def list_item_augmented(self) -> None:
        place = self.one_of(self.lists())
        if isinstance(place.item, Array):
            value = self.operand(place.item.shape, 0)
        else:
            self.only_if(place.item == FLOAT)
            value = self.scalar()
        where = self.item_index(place.text)
        self.emit(f"{place.text}[{where}] {self.pick('+=', '*=', '-=')} {value}")

    @production("list", 1)
    def list_slice_store(self) -> None:
        place = self.one_of(self.lists(Float))
        if self.chance(2):
            self.emit(f"{place.text}[:1] = [{self.scalar()}]")
        else:
            self.emit(f"{place.text}.reverse()")

    @production("list")
    def list_item_swap(self) -> None:
        place = self.one_of(self.lists())
        y = place.text
        self.emit(f"{y}[0], {y}[-1] = {y}[-1], {y}[0]")

    # -- dicts, tuples, objects --------------------------------------------------------------------

    def records(self, sort: str | None = None) -> list[Place]:
        return [p for p in self.places() if isinstance(p.kind, Record) and sort in (None, p.kind.sort)]

    def vector_for_record(self) -> tuple[str, Shape]:
        found = self.array_of(None, own=True)
        if found is None or self.chance(2) or found[1][0] < 2:
            shape = self.some_shape()
            return self.fresh(shape), shape
        return found

    @production("record", 3)
    def dict_made(self) -> None:
        text, shape = self.vector_for_record()
        value = self.scalar()
        kind = Record("dict", (('["a"]', FLOAT), ('["w"]', Array(shape))))
        name = f"d{next(self.numbers)}"
        self.emit(f'{name} = {{"a": {value}, "w": {text}}}')
        if self.chance(3):
            self.emit(f'{name}["b"] = {self.scalar()}')
            kind = Record("dict", (*kind.fields, ('["b"]', FLOAT)))
        self.scope[name] = kind

    @production("record")
    def tuple_made(self) -> None:
        text, shape = self.vector_for_record()
        name = f"pair{next(self.numbers)}"
        self.emit(f"{name} = ({text}, {self.scalar()})")
        self.scope[name] = Record("tuple", (("[0]", Array(shape)), ("[1]", FLOAT)))

    @production("record")
    def tuple_unpacked(self) -> None:
        place = self.one_of(self.records("tuple"))
        assert isinstance(place.kind, Record)
        first, second = (kind for _, kind in place.kind.fields)
        self.emit(f"{self.new('array', first)}, {self.new('float', second)} = {place.text}")

    @production("record", 3)
    def object_made(self) -> None:
        shape = self.one_of(self.arrays(1, own=False, least=2)).shape
        found = self.array_of(shape, own=True)
        text = found[0] if found and self.chance(2) else self.fresh(shape)
        maker = self.pick("State", "Cell")
        self.need(maker)
        name = f"o{next(self.numbers)}"
        self.emit(f"{name} = {maker}({self.scalar()}, {text})")
        self.scope[name] = Record("object", ((".a", FLOAT), (".u", Array(shape))))

    @production("record", 3)
    def record_alias(self) -> None:
        place = self.one_of(self.records())
        name = f"r{next(self.numbers)}"
        self.emit(f"{name} = {place.text}")
        self.scope[name] = place.kind

    @production("record", 5)
    def field_store(self) -> None:
        place = self.one_of([p for p in self.records() if p.kind.sort != "tuple"])
        assert isinstance(place.kind, Record)
        key, kind = self.pick(*place.kind.fields)
        if self.chance(2):
            item = self.item_for(kind)
            self.emit(f"{place.text}{key} = {item}")
        elif isinstance(kind, Array):
            self.emit(f"{place.text}{key} {self.pick('+=', '*=', '-=')} {self.operand(kind.shape, 0)}")
        else:
            self.emit(f"{place.text}{key} {self.pick('+=', '*=', '-=')} {self.scalar()}")

    @production("record", 3)
    def field_element_store(self) -> None:
        place = self.one_of([p for p in self.arrays() if not p.text.isidentifier()])
        self.emit(f"{self.element(place)} {self.pick('=', '+=', '*=')} {self.scalar()}")

    @production("record", 3)
    def method_called(self) -> None:
        place = self.one_of(self.records("object"))
        if self.chance(2):
            self.emit(f"{place.text}.relax()")
        else:
            assert isinstance(place.kind, Record)
            self.bind("array", place.kind.fields[1][1], f"{place.text}.kick({self.scalar(0)})")

    @production("record", 1)
    def list_of_records(self) -> None:
        place = self.one_of(self.records())
        self.bind("list", List(place.kind), f"[{place.text}, {place.text}]")

    # -- calls -------------------------------------------------------------------------------------

    def need(self, name: str) -> None:
        if name not in self.helpers:
            self.helpers.append(name)

    @production("call", 8)
    def helper_called(self) -> None:
        name = self.pick(*HELPERS)
        wanted, _, result = HELPERS[name][0].partition("->")
        shapes: dict[str, Shape] = {}
        texts = [self.argument_for(letter, shapes) for letter in wanted.split()]
        self.need(name)
        self.mark(f"call_{name}")
        call = f"{name}({', '.join(texts)})"
        result = result.strip()
        if not result or self.chance(5):
            self.emit(call)
        elif result == "c":
            self.bind("float", FLOAT, call)
        elif result == "tail":
            rows, *rest = shapes["a"]
            self.bind_array(call, Array((rows - 1, *rest)))
        else:
            self.bind_array(call, Array(shapes[result]))

    def argument_for(self, letter: str, shapes: dict[str, Shape]) -> str:
        """Something in scope, or made for the call; the shapes of arrays are noted under their letters."""
        match letter:
            case "c":
                return self.scalar(0)
            case "v" | "a" | "m":
                place = self.target({"v": 1, "m": 2}.get(letter), least=2)
                shapes[letter] = place.shape
                return place.text
            case "w":
                found = self.array_of(shapes["v"], own=True)
                self.only_if(found is not None)
                return found[0]
            case "f":
                self.only_if(self.growth)
                return self.found_or_made(self.list_of_numbers, lambda: self.lists(Float))
            case "s":
                return self.found_or_made(self.object_made, lambda: self.records("object"))
            case _:
                return self.found_or_made(self.dict_made, lambda: self.records("dict"))

    def found_or_made(self, make: Callable[[], None], find: Callable[[], list[Place]]) -> str:
        if not find():
            make()
        return self.one_of(find()).text

    @production("call")
    def closure(self) -> None:
        """A nested function that writes into what it captures."""
        # Myia refuses names that are bound anew after they were captured, so this one is of its own.
        self.only_if(not self.in_loop)
        whole = self.one_of(self.arrays())
        place = Place(f"held{next(self.numbers)}", whole.kind, False)
        name = f"write{next(self.numbers)}"
        self.emit(f"{place.text} = {whole.text}")
        self.emit(f"def {name}(c):")
        self.emit(f"    {self.element_outside_loops(place)} {self.pick('=', '+=', '*=')} c")
        self.emit(f"    return {place.text}[::-1]")
        self.emit(f"{name}({self.scalar(0)})")
        if self.chance(2):
            self.bind_array(f"{name}({self.scalar(0)})", place.kind)

    def element_outside_loops(self, place: Place) -> str:
        counters, self.counters = self.counters, []
        text = self.element(place)
        self.counters = counters
        return text

    @production("call", 1)
    def closure_over_list(self) -> None:
        self.only_if(not self.in_loop)
        whole = self.one_of(self.lists(Float, growing=True))
        place = Place(f"held{next(self.numbers)}", whole.kind, False)
        name = f"grow{next(self.numbers)}"
        self.emit(f"{place.text} = {whole.text}")
        self.emit(f"def {name}(c):")
        self.emit(f"    {place.text}.append(c * {place.text}[0])")
        self.emit(f"    {place.text}[0] = c")
        self.emit(f"{name}({self.scalar(0)})")

    # -- control -----------------------------------------------------------------------------------

    def block(self, least: int = 1, most: int = 3) -> None:
        """Statements of a body; names that are bound only there are forgotten after it."""
        scope = dict(self.scope)
        self.indent += 1
        start = len(self.lines)
        for _ in range(least + self.below(most - least + 1)):
            self.statement()
        if len(self.lines) == start:
            self.emit("pass")
        self.indent -= 1
        self.scope = scope

    def loop_body(self, counter: tuple[str, int] | None, more: Callable[[], None] | None = None) -> None:
        outside, self.in_loop = self.in_loop, True
        if counter is not None:
            self.counters.append(counter)
        scope = dict(self.scope)
        self.indent += 1
        if more is not None:
            more()
        self.indent -= 1
        self.block()
        self.scope = scope
        if counter is not None:
            self.counters.pop()
        self.in_loop = outside

    @property
    def nestable(self) -> bool:
        return self.indent < 3 and self.left > 0

    @production("control", 3)
    def branch(self) -> None:
        self.only_if(self.nestable)
        self.emit(f"if {self.condition()}:")
        self.block()
        if self.chance(4):
            self.emit(f"elif {self.condition()}:")
            self.block()
        if self.chance(2):
            self.emit("else:")
            self.block()

    @production("control", 4)
    def for_range(self) -> None:
        self.only_if(self.nestable)
        k = f"k{next(self.numbers)}"
        bounds, bound = self.pick(("2", 2), ("3", 3), ("1, 3", 3), ("2, -1, -1", 3), ("len(x)", 4), ("0", 1))
        self.emit(f"for {k} in range({bounds}):")
        self.loop_body((k, bound))

    @production("control")
    def for_rows(self) -> None:
        """The rows of an array are views of it, and are written through."""
        self.only_if(self.nestable)
        place = self.target(2)
        rows, columns = place.shape
        row, k = f"row{next(self.numbers)}", f"k{next(self.numbers)}"
        counted = self.chance(2)
        self.emit(f"for {k}, {row} in enumerate({place.text}):" if counted else f"for {row} in {place.text}:")
        known = dict(self.scope)
        self.scope[row] = Array((columns,))

        def written() -> None:
            if self.chance(2):
                self.emit(f"{row}[{self.index(columns)}] {self.pick('=', '*=', '+=')} {self.scalar()}")
            else:
                self.emit(f"{row} {self.pick('*=', '+=')} {self.operand((columns,), 0)}")

        self.loop_body((k, rows) if counted else None, written)
        self.scope = known

    @production("control", 1)
    def for_items(self) -> None:
        """Over the items of a list, which does not grow meanwhile."""
        self.only_if(self.nestable)
        place = self.one_of([p for p in self.places() if isinstance(p.kind, List)])
        assert isinstance(place.kind, List)
        item = f"i{next(self.numbers)}"
        self.emit(f"for {item} in {place.text}:")
        known, growth = dict(self.scope), self.growth
        self.scope[item] = place.kind.item
        self.growth = False
        self.loop_body(None)
        self.scope, self.growth = known, growth

    @production("control", 2)
    def while_counted(self) -> None:
        self.only_if(self.nestable)
        m = f"m{next(self.numbers)}"
        bound = self.pick(2, 3)
        self.emit(f"{m} = 0")
        if self.chance(3):
            self.emit("while True:")
            self.loop_body((m, bound), lambda: self.leave_when(m, bound))
        else:
            more = f" and {self.condition()}" if self.chance(2) else ""
            self.emit(f"while {m} < {bound}{more}:")
            self.loop_body((m, bound + 1), lambda: self.emit(f"{m} += 1"))

    def leave_when(self, m: str, bound: int) -> None:
        self.emit(f"{m} += 1")
        self.emit(f"if {m} == {bound}:")
        self.emit("    break")

    @production("control", 2)
    def loop_left(self) -> None:
        self.only_if(self.in_loop)
        self.emit(f"if {self.condition()}:")
        if self.chance(2):
            self.emit(f"    {self.element(self.one_of(self.arrays()))} = {self.scalar(0)}")
        word = self.pick("break", "continue")
        self.mark(word)
        self.emit(f"    {word}")

    @production("control", 1)
    def early_return(self) -> None:
        self.only_if(self.chance(2))
        self.emit(f"if {self.condition()}:")
        whole = self.array_of(None, own=False)
        self.emit(f"    return {self.scalar()}" + (f" + {whole[0]}.sum()" if whole else ""))

    # -- the whole ---------------------------------------------------------------------------------

    def statement(self) -> None:
        self.left -= 1
        for _ in range(6):
            name = self.table[self.below(len(self.table))]
            lines, scope = len(self.lines), dict(self.scope)
            try:
                PRODUCTIONS[name](self)
            except NothingSuits:
                del self.lines[lines:]
                self.scope = scope
            else:
                self.mark(name)
                return
        self.fresh_array()
        self.mark("fresh_array")

    def total(self) -> str:
        """What is returned: a number that everything in scope goes into."""
        terms = []
        weights = itertools.cycle(["0.7", "-1.3", "0.4", "1.1"])
        roots = list(self.scope.items())
        for name, kind in roots:
            for place in self.inside(Place(name, kind, True)):
                if len(terms) < 7:
                    if isinstance(place.kind, Array):
                        y = place.text
                        terms.append(
                            f"{next(weights)} * ({y} * {y}).sum()" if self.chance(2) else f"{y}.sum()"
                        )
                    elif place.kind == FLOAT:
                        terms.append(f"{next(weights)} * {place.text}")
                    elif isinstance(place.kind, List) and place.kind.item == FLOAT:
                        terms.append(f"sum({place.text})")
        return " + ".join(reversed(terms)) or "0.0"

    def arguments(self) -> list[tuple[str, Kind, Any]]:
        own = self.chance(4)
        if own:
            self.mark("writes_arguments")
        n = 2 + self.below(3)
        values = Values(self.below(1 << 16))
        found: list[tuple[str, Kind, Any]] = [("x", Array((n,), own), values.array(n))]
        form = self.below(6)
        if form in (1, 2):
            m = self.pick(n, 2, 3)
            found.append(("A", Array((m, n), own), values.array(m, n)))
        if form in (2, 3):
            found.append(("s", FLOAT, values.number()))
        if form == 4:
            found.append(("items", List(FLOAT, own), [values.number() for _ in range(2 + self.below(2))]))
        if form == 5:
            found.append(("rows", List(Array((n,), own), own), [values.array(n) for _ in range(2)]))
        return found

    def program(self) -> Drawn:
        arguments = self.arguments()
        self.scope = {name: kind for name, kind, _ in arguments}
        names = ", ".join(self.scope)
        n = arguments[0][1].shape[0]
        self.left = 3 + self.below(8)
        # Something to write into, of the arguments' shapes.
        if not arguments[0][1].own or self.chance(2):
            self.emit(f"y = {self.pick('x * 2.0', 'x * 1', 'x.copy()', 'np.sin(x)', 'np.array(x)')}")
            self.scope["y"] = Array((n,))
        if "A" in self.scope and not self.scope["A"].own:
            self.emit(f"B = {self.pick('A * 1.0', 'A.copy()', 'A + x', 'A.T.copy().T')}")
            self.scope["B"] = Array(self.scope["A"].shape)
        while self.left > 0:
            self.statement()
        self.emit(f"return {self.total()}")
        definitions = []
        for name in self.helpers:
            definitions.append({"State": STATE, "Cell": CELL}.get(name) or HELPERS[name][1])
        imports = "from dataclasses import dataclass\n\n" if "Cell" in self.helpers else ""
        body = "\n".join([f"def program({names}):", *self.lines])
        text = imports + "import numpy as np\n\n" + "\n".join([*definitions, "", body, ""])
        return Drawn(text, tuple(value for _, _, value in arguments), self.used)


class Values:
    """Numbers of three decimals, distinct, clear of 0 and of each other: short to print."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        grid = (rng.permutation(40) + rng.uniform(0.2, 0.8, 40)) / 40
        self.numbers = iter(np.round(rng.choice([-1.0, 1.0], 40) * (0.15 + 1.05 * grid), 3).tolist())

    def number(self) -> float:
        return next(self.numbers)

    def array(self, *shape: int) -> np.ndarray:
        return np.array([self.number() for _ in range(math.prod(shape))]).reshape(shape)


def programs(theme: str = "everything") -> st.SearchStrategy[Drawn]:
    """Hypothesis draws the seed of a program, not each choice in it: of single choices it prefers the first,
    and repeats them, which leaves half of the productions out. What fails is made small as text instead
    (`tests/mutation_reduction.py`), which also reaches programs the grammar never draws.
    """
    return st.integers(0, 2**64 - 1).map(lambda seed: Drawer(random.Random(seed), theme).program())
