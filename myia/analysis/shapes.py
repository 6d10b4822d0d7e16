"""Which arrays have the same shape, whatever it is when the program runs.

Types know ranks only. Here the length of an axis is a *term*: a literal, or a text that names what it was
taken from, such as `u.shape[0] - 2` for an axis of `u[1:-1]`. Two arrays have the same shape where their
terms are the same; then nothing was broadcast between them, and no cotangent need be summed back.

    u[2:] + u[:-2]     both have u.shape[0] - 2 rows
    v, w = w, v        both have the shape of the array they were copied from

Of the arguments of a gradient it is known which axes have the same length, and which have length 1: it is
specialised on that (`Axes`), as it is on types.

A term stands for a value of the moment: binding a variable anew ends every fact that names it, so a term
never mixes two iterations of a loop. The facts hold on every path that leads to a statement.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from myia.analysis.dataflow import ForwardFlow
from myia.parse.program import names_read, names_written, rebound
from myia.parse.typed import Operation, Typed
from myia.parse.types import ANY, BOOL, Array, Tuple, is_number


@dataclass(frozen=True)
class Term:
    """A length that only the run knows: `text`, less some, and never below 0; `names` are those in `text`."""

    text: str
    less: int = 0
    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.text} - {self.less}" if self.less else self.text


Length = int | Term | None
"""The length of an axis: a literal, a term, or not known."""

Axes = tuple[int, ...]
"""The axes of an argument: 1 for length 1, else a negative number, the same for the same length."""

Shape = tuple[Length, ...]
Fact = Length | Shape
"""The value of an integer, or the shape of an array or the integers in a tuple."""

_LIKE: frozenset[Any] = frozenset(
    {
        np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.copy, np.ndarray.copy, np.ndarray.astype,
        np.array, np.asarray, np.asanyarray,
    }
)  # fmt: skip
"""Functions whose result has the shape of their first argument, unless another is asked for."""

_NO_SHAPE = ast.Constant(None)
_OF_SHAPE: frozenset[Any] = frozenset({np.zeros, np.ones, np.empty, np.full})
_TURNED: frozenset[Any] = frozenset({("attribute", "T"), np.transpose, np.ndarray.transpose})
_PRODUCTS: frozenset[Any] = frozenset({operator.matmul, np.matmul})


@dataclass(eq=False)
class Shapes:
    """What holds before each statement, and `results[s]`: the shape of what statement `s` computes."""

    typed: Typed
    before: Mapping[ast.stmt, Mapping[str, Fact]] = field(default_factory=dict)
    results: dict[ast.stmt, Shape] = field(default_factory=dict)

    def same_as_result(self, s: ast.stmt, operand: ast.expr) -> bool:
        """Whether an operand of a statement has the shape of its result."""
        return _same(self.shape(s, operand), self.results.get(s))

    def same_as_item(self, s: ast.stmt, owner: ast.expr, index: ast.expr, value: ast.expr) -> bool:
        """Whether, at a statement, a value has the shape of the elements it is stored in."""
        shape = self.shape(s, owner)
        item = None if shape is None else _Reading(self.typed, self.before[s]).item(shape, index)
        return _same(item, self.shape(s, value))

    def shape(self, s: ast.stmt, atom: ast.expr) -> Shape | None:
        return _Reading(self.typed, self.before[s]).shape(atom) if s in self.before else None


def axes_in(signature: tuple[Any, ...]) -> tuple[Axes | None, ...]:
    """Of `_runtime.signature`, what it says of each argument's shape."""
    return tuple(key[1] if type(key) is tuple else None for key in signature)


def shapes_of(typed: Typed, axes: tuple[Axes | None, ...] = ()) -> Shapes:
    """The facts of one program; `axes`: what is known of its arguments' shapes."""
    found = Shapes(typed)
    changing = rebound(typed.program.body) | {*typed.program.arguments}
    given: dict[str, Fact] = {
        name: tuple(1 if k == 1 else Term(f"axis {-k}") for k in known)
        for name, known in zip(typed.program.arguments, axes, strict=False)
        if known
    }

    def transfer(s: ast.stmt, facts: Mapping[str, Fact]) -> Mapping[str, Fact]:
        written = names_written(s)
        kept = facts
        if changed := changing.intersection(written):
            kept = {n: f for n, f in facts.items() if n not in changed and names_in(f).isdisjoint(changed)}
        if not isinstance(s, ast.Assign) or not written:
            return kept
        reading = _Reading(typed, facts)
        (target,) = written
        if isinstance(t := typed.types.get(target), Array):
            shape = reading.result(s)
            found.results.pop(s, None)
            if shape is None or len(shape) != t.rank:
                return kept
            found.results[s] = shape
            fact: Fact = tuple(
                axis_of(target, k) if n is None or target in names_in(n) else n for k, n in enumerate(shape)
            )
        else:
            fact = reading.integers(s.value)
            if fact is None or target in names_in(fact):
                return kept
        return {**kept, target: fact}

    def join(a: Mapping[str, Fact], b: Mapping[str, Fact]) -> Mapping[str, Fact]:
        return {name: fact for name, fact in a.items() if name in b and b[name] == fact}

    flow = ForwardFlow(transfer, join)
    flow.block(typed.program.body, given)
    found.before = flow.before
    return found


def _same(a: Shape | None, b: Shape | None) -> bool:
    return a is not None and a == b and None not in a


def names_in(fact: Fact) -> frozenset[str]:
    if isinstance(fact, tuple):
        return frozenset().union(*map(names_in, fact))
    return fact.names if isinstance(fact, Term) else frozenset()


def axis_of(name: str, k: int) -> Term:
    return Term(f"{name}.shape[{k}]", 0, frozenset({name}))


@dataclass
class _Reading:
    """What expressions come to, by the facts that hold before a statement."""

    typed: Typed
    facts: Mapping[str, Fact]

    # -- atoms ------------------------------------------------------------------------------------

    def shape(self, atom: ast.expr) -> Shape | None:
        """The shape of an atom: of a number it is (), of an array at least its rank is known."""
        t = self.typed.type_of(atom)
        if is_number(t):
            return ()
        if not isinstance(t, Array) or t.rank is None or not isinstance(atom, ast.Name):
            return None
        fact = self.facts.get(atom.id)
        return fact if isinstance(fact, tuple) else tuple(axis_of(atom.id, k) for k in range(t.rank))

    def length(self, atom: ast.expr) -> Length:
        """The value of an integer, where it is used as a length."""
        match atom:
            case ast.Constant(int() as value):
                return int(value)
            case ast.Name(name) if is_number(self.typed.type_of(atom)):
                fact = self.facts.get(name)
                return Term(name, 0, frozenset({name})) if fact is None or isinstance(fact, tuple) else fact
        return None

    def lengths(self, atom: ast.expr) -> Shape | None:
        """The shape that an integer or a tuple of integers asks for."""
        if isinstance(atom, ast.Name) and isinstance(self.typed.type_of(atom), Tuple):
            fact = self.facts.get(atom.id)
            return fact if isinstance(fact, tuple) else None
        length = self.length(atom)
        return None if length is None else (length,)

    # -- integers ---------------------------------------------------------------------------------

    def integers(self, value: ast.expr) -> Fact:
        """The value of an integer, or of a tuple of integers, that comes from shapes."""
        match value:
            case ast.Attribute(ast.Name() as x, "shape"):
                return self.shape(x)
            case ast.Call(ast.Name("len"), [ast.Name() as x], []):
                shape = self.shape(x) if self.is_built_in("len") else None
                return shape[0] if shape else None
            case ast.Call(ast.Attribute(ast.Name("rt"), "unpacked"), [ast.Name(x), _]):
                return self.facts.get(x)
            case ast.Subscript(ast.Name(x), ast.Constant(int() as k)):
                fact = self.facts.get(x)
                known = isinstance(fact, tuple) and isinstance(self.typed.types.get(x), Tuple)
                return fact[k] if known and isinstance(fact, tuple) and -len(fact) <= k < len(fact) else None
            case ast.Tuple(elements) if all(is_number(self.typed.type_of(e)) for e in elements):
                return tuple(map(self.length, elements))
            case ast.Name(x):
                return self.facts.get(x)
        return None

    def is_built_in(self, name: str) -> bool:
        return self.typed.program.constants.get(name) is getattr(builtins, name)

    # -- arrays -----------------------------------------------------------------------------------

    def result(self, s: ast.Assign) -> Shape | None:
        """The shape of the array that a statement computes; None for a length that is not known."""
        operation = self.typed.operations.get(s)
        if operation is None:
            return None
        operands, function = list(operation.operands.values()), operation.function
        match operation.kind, s.value:
            case "alias", ast.Name() as x:
                return self.shape(x)
            case "rule", ast.Subscript(x, index) if function is operator.getitem:
                shape = self.shape(x)
                return None if shape is None else self.item(shape, index)
            case "rule", _ if self.is_turned(operation):
                shape = self.shape(operands[0])
                return None if shape is None else shape[::-1]
            case "rule", _ if function in _PRODUCTS:
                return self.product(*map(self.shape, operands))
            case "rule", _ if operation.rule is not None and operation.rule.broadcast:
                return self.broadcast([self.shape(o) for o in operands])
            case (("rule" | "inactive"), ast.Call(_, args, keywords)) if function in _LIKE | _OF_SHAPE:
                other = operation.operands.get("shape", _NO_SHAPE)
                if function in _LIKE and (len(args) > 3 or not _is_constant(other, None)):
                    return None  # another shape is asked for, perhaps by position
                if operands:
                    args = operands[:1]
                elif any(k.arg == "shape" for k in keywords):
                    return None
                if not args:
                    return None
                return self.shape(args[0]) if function in _LIKE else self.lengths(args[0])
        return None

    def is_turned(self, operation: Operation) -> bool:
        """Whether axes are reversed: no order of them is given."""
        return operation.function in _TURNED and all(
            isinstance(o, ast.Constant) and o.value is None for o in list(operation.operands.values())[1:]
        )

    def product(self, a: Shape | None, b: Shape | None) -> Shape | None:
        """Of matrices and vectors."""
        if a is None or b is None or not 1 <= len(a) <= 2 or not 1 <= len(b) <= 2:
            return None
        return (*a[:-1], *b[1:])

    def broadcast(self, shapes: list[Shape | None]) -> Shape | None:
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes):
            return None
        rank = max(map(len, known), default=0)
        columns = [[shape[k - rank] for shape in known if len(shape) >= rank - k] for k in range(rank)]
        return tuple(map(_broadcast_length, columns))

    def item(self, shape: Shape, index: ast.expr) -> Shape | None:
        """The shape of `x[index]`; None unless types show that the index is basic."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        taken = sum(not _is_constant(p, None) and not _is_constant(p, ...) for p in parts)
        if taken > len(shape) or sum(_is_constant(p, ...) for p in parts) > 1:
            return None
        left, found = list(shape), list[Length]()
        for part in parts:
            if _is_constant(part, None):
                found.append(1)
            elif _is_constant(part, ...):
                skipped = len(shape) - taken
                found += left[:skipped]
                del left[:skipped]
            elif isinstance(part, ast.Slice):
                found.append(self.sliced(left.pop(0), part))
            elif is_number(t := self.typed.type_of(part)) and t != BOOL and not _is_truth(part):
                left.pop(0)
            else:
                return None
        return (*found, *left)

    def sliced(self, length: Length, part: ast.Slice) -> Length:
        start, stop = _bound(part.lower, 0), _bound(part.upper, None)
        if part.step is None and isinstance(start, int) and start >= 0:
            if stop is None:
                return _less(length, start)
            if isinstance(stop, int) and stop < 0:
                return _less(length, start - stop)
        bounds = [b for b in (part.lower, part.upper, part.step) if b is not None]
        named = {n for b in bounds for n in names_read(b)}
        if length is None or not all(is_number(self.typed.types.get(n, ANY)) for n in named):
            return None
        text = f"({length})[{ast.unparse(part)}]"
        return Term(text, 0, frozenset(named) | names_in(length))


def _less(length: Length, less: int) -> Length:
    if isinstance(length, int):
        return max(0, length - less)
    return None if length is None else Term(length.text, length.less + less, length.names)


def _broadcast_length(lengths: list[Length]) -> Length:
    others = {n for n in lengths if n != 1}
    if len(others) > 1:
        return None
    return others.pop() if others else 1


def _bound(atom: ast.expr | None, missing: int | None) -> int | str | None:
    """A bound of a slice: its number, what is meant where it is left out, or a text."""
    match atom:
        case None | ast.Constant(None):
            return missing
        case ast.Constant(int() as value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)):
            return -value
    return ast.unparse(atom)


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_truth(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)
