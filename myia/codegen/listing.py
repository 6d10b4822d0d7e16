"""What is known of emitted text, line by line: its sweep, where it is from, what it saves and lets go of.

The printer tells which lines belong to which function and sweep, and the compiler's notes. The rest is read
off the text when it is asked for, so that compiling costs no more for it:

    h_saved.append(h)                         saves h on h_saved
    h = rt.tanh(total); del total             binds h: float64[1], lets go of total
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from myia.parse.program import names_written, statements_of
from myia.parse.types import ANY, Type, describe
from myia.runtime import into

Place = tuple[str, int]
"""A file of the user's, and a line of it."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the variables of an emitted function: types, what each stack saves, which are plans.

    A plan holds snapshots of the state of a loop.
    """

    types: Mapping[str, Type] = field(default_factory=dict)
    stacks: Mapping[str, str] = field(default_factory=dict)
    plans: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Part:
    """Lines of an emitted function, the last included; `sweep` is "forward", "reverse", or "" for neither."""

    sweep: str
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Function:
    """Where an emitted function stands, and what is known of its variables."""

    name: str
    first: int
    last: int
    parts: tuple[Part, ...]
    known: Known


@dataclass(frozen=True, eq=False)
class Listing:
    """Emitted text, with what its printer knows of it. Lines count from 1.

    `origins`: the user's line that an emitted one was made of; `notes`: why a line is as it is; `files`: the
    lines of the user's files, as they were when the text was printed.
    """

    text: str
    origins: Mapping[int, Place]
    notes: Mapping[int, str]
    functions: tuple[Function, ...]
    files: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Fact:
    """What a line does to a variable.

    `kind` is "sets up", "plans", "unbound", "binds", "writes", "saves", "snapshots", "restores" or "frees";
    `also` is what a stack is for, the type of what is bound, or the stack or plan of what is saved.
    """

    kind: str
    what: str
    also: str = ""


@dataclass(frozen=True)
class Line:
    """One emitted line; `origin` is None for what no line of the user's stands for."""

    number: int
    text: str
    function: str
    sweep: str
    origin: Place | None
    note: str
    facts: tuple[Fact, ...]


def lines_of(listing: Listing) -> list[Line]:
    """Every line of the text, in order, with what is known of it."""
    facts: dict[int, list[Fact]] = defaultdict(list)
    functions: dict[int, str] = {}
    sweeps: dict[int, str] = {}
    for function, node in zip(listing.functions, ast.parse(listing.text).body, strict=True):
        assert isinstance(node, ast.FunctionDef)
        functions.update(dict.fromkeys(range(function.first, function.last + 1), function.name))
        for part in function.parts:
            sweeps.update(dict.fromkeys(range(part.first, part.last + 1), part.sweep))
        for s in statements_of(node.body):
            facts[s.lineno] += _facts(s, function.known)
    return [
        Line(
            number,
            text,
            functions.get(number, ""),
            sweeps.get(number, ""),
            listing.origins.get(number),
            listing.notes.get(number, ""),
            tuple(facts[number]),
        )
        for number, text in enumerate(listing.text.removesuffix("\n").split("\n"), 1)
    ]


def _facts(s: ast.stmt, known: Known) -> Iterator[Fact]:
    match s:
        case ast.Delete(targets):
            yield from (Fact("frees", ast.unparse(t)) for t in targets)
            return
        case ast.Assign([ast.Name(name)], ast.List([])) if name in known.stacks:
            yield Fact("sets up", name, known.stacks[name])
            return
        case ast.Assign([ast.Name(name)], ast.Attribute(ast.Name("rt"), "UNBOUND")):
            yield Fact("unbound", name)
            return
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(stack), "append"), [value])) if stack in known.stacks:
            yield Fact("saves", ast.unparse(value), stack)
            return
        case ast.Assign([target], ast.Call(ast.Attribute(ast.Name(stack), "pop"))) if stack in known.stacks:
            yield Fact("restores", ast.unparse(target), stack)
        case ast.Assign([ast.Name(plan)], ast.Call()) if plan in known.plans:
            yield Fact("plans", plan)
            return
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(plan), "head"), [state, *_])) if plan in known.plans:
            yield Fact("snapshots", _listed(state), plan)
            return
        case ast.Assign([target], ast.Call(ast.Attribute(ast.Name(plan), "state"))) if plan in known.plans:
            yield Fact("restores", _listed(target), plan)
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("rt"), name), [out, *_])) if name in into.__all__:
            yield Fact("writes", ast.unparse(out))
        case ast.Assign([ast.Subscript() | ast.Attribute() as place]):
            yield Fact("writes", ast.unparse(place))
        case ast.AugAssign(ast.Subscript() | ast.Attribute() as place):
            yield Fact("writes", ast.unparse(place))
    for name in names_written(_plain(s)):
        if name != "_":
            t = known.types.get(name, ANY)
            yield Fact("binds", name, "" if t == ANY else describe(t))


def _listed(names: ast.expr) -> str:
    return ", ".join(map(ast.unparse, names.elts)) if isinstance(names, ast.Tuple) else ast.unparse(names)


def _plain(s: ast.stmt) -> ast.stmt:
    """`x += y` as an assignment."""
    return ast.Assign([s.target], s.value) if isinstance(s, ast.AugAssign) else s
