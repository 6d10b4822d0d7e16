"""Where the reverse sweep looks up the shadow of an array: `d_x = shadows.of(x)`.

Looking it up at each use would be right, and slow in loops. A variable that is assigned once holds one
array from there to the end of its block: its shadow is looked up once, where the reverse sweep first
needs it there. A variable that is assigned anew in a loop may hold another array at each statement.
"""

from __future__ import annotations

import ast

from myia.adjoint.code import bind, load_name, shadows_call
from myia.adjoint.mirror import Branch, Loop, Node, Point, Step, reads_of, steps_of
from myia.adjoint.reverse import Reversal
from myia.parse.program import names_written


def bind_handles(nodes: list[Node], reversal: Reversal) -> None:
    """Bind the views of shadows that the reverse code of the mirrored program uses, in place."""
    handles = {reversal.adjoint_names[n]: n for n in reversal.adjoint_names if reversal.handle(n)}
    if not handles:
        return
    for d_name, name in handles.items():
        block = _home(nodes, name)
        used = _uses(nodes, d_name)
        if not used:
            continue
        if block is not None and _uses(block, d_name) == used:
            last = max(k for k, node in enumerate(block) if _uses([node], d_name))
            at = next(iter(steps_of([block[last]])), None)
            place = at.statement if at is not None else ast.Pass()
            block.insert(last + 1, Point([_lookup(d_name, name, place)]))
        else:
            _bind_each(nodes, d_name, name)


def _home(nodes: list[Node], name: str) -> list[Node] | None:
    """The block of the only assignment of a variable; the outermost one for an argument."""
    blocks = list(_defining(nodes, name))
    if not blocks:
        return nodes
    return blocks[0] if len(blocks) == 1 else None


def _defining(block: list[Node], name: str) -> list[list[Node]]:
    found: list[list[Node]] = []
    for node in block:
        match node:
            case Step(statement) if name in names_written(statement):
                found.append(block)
            case Branch(_, body, orelse):
                found += _defining(body, name) + _defining(orelse, name)
            case Loop(_, _, body):
                found += _defining(body, name)
    return found


def _uses(nodes: list[Node], d_name: str) -> int:
    """How many pieces of reverse code read a handle that they do not bind themselves."""
    count = 0
    for node in nodes:
        match node:
            case Step(_, code) | Point(code):
                count += d_name in reads_of(code)
            case Branch(_, body, orelse):
                count += _uses(body, d_name) + _uses(orelse, d_name)
            case Loop(_, _, body):
                count += _uses(body, d_name)
    return count


def _bind_each(nodes: list[Node], d_name: str, name: str) -> None:
    for node in nodes:
        match node:
            case Step() | Point() if d_name in reads_of(node.code):
                node.code = [_lookup(d_name, name, node.code[0]), *node.code]
            case Branch(_, body, orelse):
                _bind_each(body, d_name, name)
                _bind_each(orelse, d_name, name)
            case Loop(_, _, body):
                _bind_each(body, d_name, name)


def _lookup(d_name: str, name: str, at: ast.AST) -> ast.stmt:
    return bind(d_name, shadows_call("of", load_name(name)), at)
