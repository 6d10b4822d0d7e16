"""Where the reverse sweep looks up the shadow of an array: `d_x = shadows.of(x)`.

Looking it up at each use would be right, and slow in loops. A variable that is assigned once holds one
array from there to the end of its block: its shadow is looked up once, where the reverse sweep first
needs it there. A variable that is assigned anew in a loop, or read there before its only assignment, may hold
another array at each statement.

The shadow of a view `v = x[i]` is the same view of that of `x`, `d_v = d_x[i]`, so that the view itself
need not be kept.
"""

from __future__ import annotations

import ast

from myia.adjoint.code import bind, item_of, load_name, shadows_call
from myia.adjoint.mirror import Branch, Loop, Node, Point, Step, reads_of, steps_of
from myia.adjoint.reverse import Reversal
from myia.analysis.alias import is_basic
from myia.parse.program import names_read, names_written


def bind_handles(nodes: list[Node], reversal: Reversal) -> None:
    """Bind the views of shadows that the reverse code of the mirrored program uses, in place."""
    handles = {reversal.adjoint_names[n]: n for n in reversal.adjoint_names if reversal.handle(n)}
    if not handles:
        return
    left = set(handles.values())
    for d_name, name in reversed(handles.items()):  # views before what they are views of
        left.discard(name)
        block = _home(nodes, name, name in reversal.typed.program.arguments)
        used = _uses(nodes, d_name)
        if not used:
            continue
        if block is not None and _uses(block, d_name) == used and not _used_before(block, name, d_name):
            last = max(k for k, node in enumerate(block) if _uses([node], d_name))
            at = next(iter(steps_of([block[last]])), None)
            place = at.statement if at is not None else ast.Pass()
            found = _view_of_shadow(block, name, last, reversal, left) or shadows_call("of", load_name(name))
            block.insert(last + 1, Point([bind(d_name, found, place)]))
        else:
            _bind_each(nodes, d_name, name)


def _view_of_shadow(
    block: list[Node], name: str, last: int, reversal: Reversal, left: set[str]
) -> ast.expr | None:
    """`d_x[i]` for what is made by `v = x[i]`, if neither `x` nor `i` changes before its last use.

    `left`: the variables whose shadows are still to be looked up.
    """
    for k, node in enumerate(block[: last + 1]):
        match node:
            case Step(ast.Assign([ast.Name(target)], ast.Subscript(ast.Name(owner), index))) if (
                target == name
            ):
                if owner not in left or not is_basic(reversal.typed, index):
                    return None
                read = {owner, *names_read(index)}
                changed = {n for step in steps_of(block[k : last + 1]) for n in names_written(step.statement)}
                if read & changed:
                    return None
                return item_of(load_name(reversal.adjoint_names[owner]), index)
    return None


def _home(nodes: list[Node], name: str, given: bool) -> list[Node] | None:
    """The block of the only assignment of a variable; the outermost one for an argument (`given`)."""
    blocks = list(_defining(nodes, name))
    if given or not blocks:
        return None if blocks else nodes
    return blocks[0] if len(blocks) == 1 else None


def _used_before(block: list[Node], name: str, d_name: str) -> bool:
    """Whether a block uses a handle before it assigns the variable: then that of an iteration before."""
    for k, node in enumerate(block):
        if isinstance(node, Step) and name in names_written(node.statement):
            return _uses(block[:k], d_name) > 0
    return False


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
