"""A copy of elements that is used up before anything is written may as well be a view.

d_part = d_u[1:-1].copy()              d_part = d_u[1:-1]
d_k = rt.times(d_part, lap)      ->    d_k = rt.times(d_part, lap)
d_u[2:] += d_k                         d_u[2:] += d_k
"""

from __future__ import annotations

import ast

from myia.analysis.liveness import Liveness, all_read
from myia.optimise.code import ELEMENTWISE, Block, Code, operation
from myia.parse.program import names_written

_FRESH = ELEMENTWISE | {"sum", "mean", "matmul", "matvec", "array_dot", "dot", "vector_outer", "cumsum"}
"""What reads arrays and gives new memory."""


def view_instead_of_copy(code: Code) -> Code:
    live = code.live

    def viewing(block: Block) -> Block:
        return [_view(s, block[k + 1 :], live) or s for k, s in enumerate(block)]

    return code.rewritten(viewing)


def _view(s: ast.stmt, following: Block, live: Liveness) -> ast.stmt | None:
    match s:
        case ast.Assign(
            [ast.Name(name)] as targets,
            ast.Call(ast.Attribute(ast.Subscript(ast.Name(owner)) as item, "copy"), [], []),
        ) if name not in live.pinned:
            pass
        case _:
            return None
    for reader in following:
        if not _writes_nothing(reader, name) or owner in names_written(reader):
            return None
        if live.dead_after(reader, name):
            made = ast.Assign(targets, item)
            return ast.copy_location(made, s)
    return None


def _writes_nothing(s: ast.stmt, name: str) -> bool:
    """Whether a statement writes into no array, and does not keep the named one."""
    if name in all_read(s):
        match s:
            case ast.Assign([ast.Name()], ast.Call() as call):
                return operation(call) in _FRESH
        return False
    match s:
        case ast.Assign([ast.Name()], ast.Name() | ast.Constant() | ast.Subscript(ast.Name())):
            return True
        case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name(owner), method), _, [])):
            return operation(s.value) in _FRESH or (owner != "rt" and method == "pop")
    return False
