"""Activity: which variables lie on a path from a selected argument to the result.

A variable is varied if it depends on a selected argument through an operation with a derivative, and
useful if the result depends on it so. Active is both, for a type that can have a derivative. The
variables are webs, so one answer a name is precise; the statements are visited until nothing changes.
What may share memory and is written in place (`alias.py`) is varied or useful together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from myia.adjoint.template import Contribution
from myia.analysis.alias import Aliases
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.typed import Operation, Typed
from myia.parse.types import Instance, may_vary


@dataclass(frozen=True)
class Activity:
    varied: frozenset[str]
    useful: frozenset[str]
    active: frozenset[str]


def activity(
    typed: Typed, selected: frozenset[str], aliases: Aliases, outputs: frozenset[str] = frozenset()
) -> Activity:
    """What is active when the arguments named in `selected` are differentiated.

    `outputs`: arguments that the caller sees changed, results beside the result.
    """
    edges = [
        edge for s in statements_of(typed.program.body) if (edge := _edge(typed, s, aliases)) is not None
    ]
    for representative in sorted(aliases.shadowed):
        together = sorted(aliases.members(representative))
        edges.append((together, set(together)))

    def can_vary(name: str) -> bool:
        t = typed.types.get(name, typed.result)
        return may_vary(t) or (isinstance(t, Instance) and aliases.in_shadow(name))

    varied = {name for name in selected if can_vary(name)}
    useful = {typed.program.result, *outputs}
    for found, forward in ((varied, True), (useful, False)):
        changed = True
        while changed:
            changed = False
            for written, read in edges if forward else reversed(edges):
                sources, targets = (read, written) if forward else (written, read)
                if any(name in found for name in sources):
                    new = {name for name in targets if name not in found and (not forward or can_vary(name))}
                    changed |= bool(new)
                    found |= new
    return Activity(frozenset(varied), frozenset(useful), frozenset(varied & useful))


def _edge(typed: Typed, s: ast.stmt, aliases: Aliases) -> tuple[list[str], set[str]] | None:
    """What a statement binds or writes into, and the variables through which a derivative flows there."""
    if not isinstance(s, (ast.Assign, ast.FunctionDef, ast.AugAssign, ast.Expr)):
        return None
    read = differentiable_names(typed, s)
    written = names_written(s)
    operation = typed.operations.get(s)
    if operation is not None and operation.kind in _EFFECTS:
        operands = {name for expression in operation.operands.values() for name in names_read(expression)}
        for representative in sorted(aliases.shadow_classes(operands)):
            written = [*written, *sorted(aliases.members(representative))]
    return written, read


_EFFECTS = ("store", "update", "mutator", "user", "dynamic")


def differentiable_names(typed: Typed, statement: ast.stmt) -> set[str]:
    """The variables through which a derivative flows into what the statement binds."""
    if isinstance(statement, ast.FunctionDef):
        return set(typed.program.nested[statement.name].captures)
    assert isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr))
    operation = typed.operations.get(statement)
    if operation is None or operation.kind == "inactive":
        return set()
    return {
        name
        for expression in differentiable_operands(operation, statement.value)
        for name in names_read(expression)
    }


def contributed_names(typed: Typed, statement: ast.stmt) -> set[str]:
    """The variables whose adjoints the reverse code of a statement adds to, if they are active."""
    if isinstance(statement, ast.Assign):
        operation = typed.operations.get(statement)
        if operation is not None and operation.kind == "rule":
            operands = (operation.operands[parameter] for parameter in contributing(operation))
            return {name for operand in operands for name in names_read(operand)}
        if operation is not None and operation.kind == "opaque":
            return set()
    return differentiable_names(typed, statement)


def differentiable_operands(operation: Operation, value: ast.expr) -> Iterator[ast.expr]:
    match operation.kind:
        case "alias" | "tuple" | "list" | "opaque" | "dynamic":
            yield value
        case "dict":
            assert isinstance(value, ast.Dict)
            yield from value.values
        case "user" | "mutator":
            yield from operation.operands.values()
        case "store":
            yield operation.operands["y"]
        case "update":
            yield operation.operands["x"]
            yield operation.operands["y"]
        case "rule":
            # A float that is varied but has no contribution is looked at, and refused, by the reverse mode.
            yield from operation.operands.values()


def contributing(operation: Operation) -> set[str]:
    """The parameters of a rule that its template contributes to."""
    assert operation.rule is not None
    return {step.parameter for step in operation.rule.body if isinstance(step, Contribution)}
