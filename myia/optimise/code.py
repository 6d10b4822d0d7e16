"""The emitted function that the passes work on, and what they ask of it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import myia.runtime as rt
from myia.analysis.liveness import Liveness, liveness
from myia.parse.types import ANY, Array, Type

Block = list[ast.stmt]


def _named_like(example: object) -> frozenset[str]:
    return frozenset(n for n in rt.FACADE if type(getattr(rt, n)) is type(example))


OPERATORS = _named_like(rt.add)
"""NumPy's ufuncs."""

ADJOINTS = frozenset(n for n in _named_like(rt.times) if n not in rt.into.__all__)
"""Fused backprops of one result."""

ELEMENTWISE = OPERATORS | ADJOINTS

INTO = {f"{n}": f"{n}_into" for n in ADJOINTS if f"{n}_into" in rt.FACADE}
"""Operations with a namesake that adds the result to an array."""


FLOATING = frozenset(
    {
        "add", "subtract", "multiply", "divide", "negative", "absolute", "sqrt", "square", "reciprocal",
        "maximum", "minimum", "fmax", "fmin", "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sin",
        "cos", "tan", "tanh", "sinh", "cosh", "arctan", "arcsin", "arccos", "power", "hypot",
        "times", "quotient", "tanh_adjoint", "maximum_adjoint", "minimum_adjoint", "fmax_adjoint",
        "fmin_adjoint",
    }
)  # fmt: skip
"""Operations that give floats for floats, of the same dtype: they may be part of a chain."""


@dataclass(frozen=True, eq=False)
class Chain:
    """A function of elementwise operations that is run in one pass over memory."""

    name: str
    parameters: list[str]
    lines: Block
    results: list[str]


@dataclass(frozen=True, eq=False)
class Code:
    """One emitted function: `parts` are its sweeps and its return.

    `users`: the names in the user's source; `types`: what is known of variables; `written`: those in whose
    memory something is written in place; `fresh` gives unused names; `again`: those computed again on
    purpose; `notes`: why a statement is as it is, for the reader of the emitted code.
    """

    parts: list[Block]
    users: frozenset[str]
    types: Mapping[str, Type]
    written: frozenset[str]
    fresh: Callable[[str], str]
    again: frozenset[str] = frozenset()
    notes: dict[ast.stmt, str] = field(default_factory=dict)
    chains: list[Chain] = field(default_factory=list)
    alike: Sequence[Sequence[str]] = ()
    """Groups of arguments that have one shape."""
    primals: Mapping[str, str] = field(default_factory=dict)
    """Of adjoints, the variables whose adjoints they are."""
    pinned: frozenset[str] = frozenset()
    """What nested functions read, which no pass changes."""

    @functools.cached_property
    def live(self) -> Liveness:
        """What is read after each statement."""
        return liveness(self.body, self.pinned)

    @property
    def body(self) -> Block:
        return [s for part in self.parts for s in part]

    def rewritten(self, rewrite: Callable[[Block], Block]) -> Code:
        """With every block, the innermost first, given to `rewrite`."""

        def inside(block: Block) -> Block:
            return rewrite([with_blocks(s, inside) for s in block])

        return replace(self, parts=[inside(part) for part in self.parts])

    def is_array(self, name: str) -> bool:
        """Whether types show that a variable is an array with elements along an axis."""
        t = self.types.get(name, ANY)
        return isinstance(t, Array) and t.rank != 0


def with_blocks(s: ast.stmt, rewrite: Callable[[Block], Block]) -> ast.stmt:
    """A loop or a branch with its blocks rewritten; any other statement as it is."""
    made: ast.stmt
    match s:
        case ast.If(test, body, orelse):
            made = ast.If(test, rewrite(body) or [ast.Pass()], rewrite(orelse))
        case ast.For(target, walk, body):
            made = ast.For(target, walk, rewrite(body) or [ast.Pass()], [])
        case ast.While(test, body):
            made = ast.While(test, rewrite(body) or [ast.Pass()], [])
        case _:
            return s
    return ast.copy_location(made, s)


def operation(node: ast.expr | None) -> str | None:
    """The `name` of a call `rt.name(...)`."""
    match node:
        case ast.Call(ast.Attribute(ast.Name("rt"), name)):
            return name
    return None


def nested_operations(node: ast.AST) -> Iterator[ast.Call]:
    """The calls of the runtime in an expression."""
    return (n for n in ast.walk(node) if isinstance(n, ast.Call) and operation(n) is not None)
