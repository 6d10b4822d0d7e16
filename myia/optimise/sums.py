"""Contributions are added to an adjoint in one pass over memory.

d_v += rt.times(g, y)       ->   rt.times_into(d_v, g, y)
"""

from __future__ import annotations

import ast
from dataclasses import replace

from myia.adjoint.code import load_name, runtime_call
from myia.optimise.code import INTO, Block, Code, operation


def add_in_one_pass(code: Code) -> Code:
    notes = dict(code.notes)

    def joined(block: Block) -> Block:
        done: Block = []
        for s in block:
            made = _into(s, code)
            if made is not None:
                notes[made] = "adds in one pass"
            done.append(made or s)
        return done

    return replace(code.rewritten(joined), notes=notes)


def _into(s: ast.stmt, code: Code) -> ast.stmt | None:
    match s:
        case ast.AugAssign(ast.Name(total), ast.Add(), ast.Call(_, operands, []) as made) if operation(
            made
        ) in INTO and code.is_array(total):
            call = runtime_call(INTO[operation(made) or ""], load_name(total), *operands)
            return ast.copy_location(ast.Expr(call), s)
    return None
