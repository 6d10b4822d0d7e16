"""What a plan knows of a compiled function: its statements, and what the reverse code of each needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from myia.adjoint.control import Sweeps
from myia.adjoint.economy import reverse_reads
from myia.adjoint.mirror import Branch, Loop, Node, Step, has_reverse
from myia.adjoint.reverse import Reversal
from myia.codegen.lower import Lowering
from myia.codegen.namespace import Namespace
from myia.parse.program import names_read, names_written, statements_of
from myia.parse.typed import Typed
from myia.parse.types import ANY, is_number
from myia.plan.blocks import is_pure, is_quiet, may_repeat
from myia.plan.measure import Body, Unit, compiled


def body_of(
    typed: Typed,
    reversal: Reversal,
    both: Sweeps,
    wrt: tuple[str, ...],
    copies: bool,
    namespace: Namespace,
) -> Body | None:
    """The statements of the outermost function; None if they may not be run once more."""
    program = typed.program
    if not all(is_pure(typed, s) for s in program.body):
        return None
    place = f"<myia {program.name} measured>"
    lower = Lowering(program, typed.types, namespace)
    by_unit = _by_statement(both.nodes, program.body)
    results = {made: n for s, made in reversal.results.items() for n in names_written(s)}
    units = []

    def has_shadow(s: ast.stmt) -> bool:
        """Whether a statement makes an array whose adjoint is found by where it is in memory."""
        names = (n for n in names_written(s) if not is_number(typed.types.get(n, ANY)))
        return any(map(reversal.aliases.in_shadow, names))

    for s in program.body:
        nodes = by_unit[s]
        inner = list(statements_of([s]))
        needs = {results.get(n, n) for n in reverse_reads(nodes)}
        code = None if isinstance(s, ast.Expr) else compiled(lower.block([s]), place)
        units.append(
            Unit(
                code,
                frozenset(n for i in inner for n in names_read(i)),
                tuple(dict.fromkeys(n for i in inner for n in names_written(i))),
                frozenset(needs),
                has_reverse(nodes),
                any(_keeps(typed, i) for i in inner),
                may_repeat(typed, s) and not any(map(has_shadow, inner)),
            )
        )
    return Body(
        tuple(units),
        program.arguments,
        namespace.values,
        compiled(namespace.load(program), place),
        reversal.activity.active,
        frozenset(wrt),
        program.result,
        copies,
        frozenset(n for inner in program.nested.values() for n in (*inner.captures, inner.name)),
        all(is_quiet(typed, s) for s in program.body),
    )


def _keeps(typed: Typed, s: ast.stmt) -> bool:
    """Whether a statement keeps more for its reversal than what its variables hold."""
    operation = typed.operations.get(s)
    return isinstance(s, (ast.For, ast.While)) or (operation is not None and operation.kind == "user")


def _by_statement(nodes: Iterable[Node], body: list[ast.stmt]) -> dict[ast.stmt, list[Node]]:
    """The nodes of the mirrored program that were made from each statement of the body.

    A point belongs to the statement before it.
    """
    found: dict[ast.stmt, list[Node]] = {s: [] for s in body}
    of = {id(node): s for s in body for node in ast.walk(s)}
    at = body[0] if body else None
    for node in nodes:
        match node:
            case Step(origin=origin):
                at = of.get(id(origin), at)
            case Branch(statement) | Loop(statement):
                at = of.get(id(statement), at)
        if at is not None:
            found[at].append(node)
    return found


def blocks_in(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that begin the blocks of an emitted function's own body."""
    for s in body:
        match s:
            case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name("rt"), "block"))):
                yield s
