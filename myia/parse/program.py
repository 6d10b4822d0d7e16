"""A function in normal form.

    x = atom | x = op(atom, ...) | x = y[index] | x = y.attr | x = (atoms) | x = [atoms] | x = {..}
    y[index] = atom | y[index] op= atom | y.attr = atom
    for x in range(atoms): ... | while True: ... | if x: ... | break
    assert | raise | call(...) | return x (last)

An atom is a name or a literal. `break` stands only at the end of a block, so that all statements of
a block run if its first one does. `x op= y` is `x = rt.iadd(x, y)` where x may be an array.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from myia.parse.scope import Origin
from myia.parse.source import Source

NO_DEFAULT = object()

UPDATES: dict[type[ast.operator], str] = {
    ast.Add: "iadd", ast.Sub: "isub", ast.Mult: "imul", ast.Div: "itruediv", ast.Pow: "ipow",
    ast.MatMult: "imatmul", ast.FloorDiv: "ifloordiv", ast.Mod: "imod", ast.BitAnd: "iand",
    ast.BitOr: "ior", ast.BitXor: "ixor", ast.LShift: "ilshift", ast.RShift: "irshift",
}  # fmt: skip
"""The function of `operator`, and of the runtime, that `x op= y` calls."""

POSITIONAL_ONLY, POSITIONAL, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter; `default` is the live default, or `capture` the enclosing variable holding it."""

    name: str
    kind: int
    default: Any = NO_DEFAULT
    capture: str | None = None

    @property
    def optional(self) -> bool:
        return self.default is not NO_DEFAULT or self.capture is not None


@dataclass(frozen=True, eq=False)
class Program:
    """A function in normal form, with all that its names stand for.

    `constants`: free names and dotted paths resolved to callables, modules, classes and their
    attributes; `inputs`: free names of data, read at each call; `nested`: functions defined inside;
    `captures`: the variables of the enclosing function that a nested function reads, its own nested
    calls included.
    """

    name: str
    source: Source
    function: FunctionType | None
    parameters: tuple[Parameter, ...]
    body: list[ast.stmt]
    result: str
    constants: dict[str, Any]
    inputs: dict[str, Origin]
    origins: dict[str, Origin]
    nested: dict[str, Program] = field(default_factory=dict)
    captures: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the compiled function takes: captures, then parameters."""
        return (*self.captures, *(parameter.name for parameter in self.parameters))


def blocks_of(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks directly inside a statement of the normal form."""
    match statement:
        case ast.If(_, body, orelse):
            return [body, orelse]
        case ast.For(_, _, body) | ast.While(_, body):
            return [body]
        case _:
            return []


def is_once(statement: ast.stmt) -> bool:
    """Whether a loop is a block that is a checkpoint: `for _ in rt.once()` runs its body exactly once."""
    match statement:
        case ast.For(_, ast.Call(ast.Attribute(ast.Name("rt"), "once"))):
            return True
    return False


def statements_of(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a block, in textual order, those inside loops and branches too."""
    for statement in block:
        yield statement
        for inner in blocks_of(statement):
            yield from statements_of(inner)


def rebound(block: list[ast.stmt]) -> frozenset[str]:
    """The names of a body that may be bound after they were bound or read: in a loop, or further down."""
    seen: set[str] = set()
    again: set[str] = set()
    for statement in statements_of(block):
        seen |= names_read(statement)
        again.update(seen.intersection(names_bound(statement)))
        seen.update(names_bound(statement))
        if isinstance(statement, (ast.For, ast.While)):
            again.update(n for s in statements_of([statement]) for n in names_bound(s))
    return frozenset(again)


def names_bound(statement: ast.stmt) -> list[str]:
    """The names that one statement binds; of `x += y`, `x` too."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return names_written(statement)


def names_read(node: ast.AST | None) -> set[str]:
    """The names an expression, or the expressions of one statement, read."""
    if node is None:
        return set()
    if isinstance(node, (ast.If, ast.While)):
        return names_read(node.test)
    if isinstance(node, ast.For):
        return names_read(node.iter)
    found: set[str] = set()
    pending: list[Any] = [node]
    while pending:
        node = pending.pop()
        if type(node) is ast.Name:
            if type(node.ctx) is ast.Load:
                found.add(node.id)
            continue
        for name in _FIELDS[type(node)]:
            child = getattr(node, name, None)
            if type(child) is list:
                pending += child
            elif child is not None:
                pending.append(child)
    return found


_LEAVES = (ast.Constant, ast.operator, ast.expr_context, ast.unaryop, ast.cmpop, ast.boolop)


class _Fields(dict[type, tuple[str, ...]]):
    """The fields of each class of nodes in which there may be names: an operator or a text has none."""

    def __missing__(self, kind: type) -> tuple[str, ...]:
        fields = () if issubclass(kind, _LEAVES) else getattr(kind, "_fields", ())
        self[kind] = tuple(f for f in fields if f not in _WITHOUT_NAMES)
        return self[kind]


_WITHOUT_NAMES = ("ctx", "op", "ops", "id", "attr", "arg", "name", "type_comment", "kind")
_FIELDS = _Fields()


def names_written(statement: ast.stmt) -> list[str]:
    """The names one statement binds, in order; for a loop, its target only."""
    match statement:
        case ast.Assign([ast.Name(name)]):
            return [name]
        case ast.Assign([ast.Subscript() | ast.Attribute()]):
            return []
        case ast.Assign(targets):
            return [name.id for target in targets for name in _names_in(target)]
        case ast.FunctionDef(name):
            return [name]
        case ast.For(ast.Name(name)):
            return [name]
        case _:
            return []


def _names_in(target: ast.expr) -> Iterator[ast.Name]:
    return (
        node for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
