"""Contributions are added to an adjoint in one pass over memory, in place where nothing else holds it.

part = rt.times(g, y)       ->   d_x = rt.times_added(d_x, g, y)
d_x = rt.add(d_x, part)
d_v += rt.times(g, y)       ->   rt.times_into(d_v, g, y)
"""

from __future__ import annotations

import ast
from dataclasses import replace

import myia.runtime as rt
from myia.analysis.liveness import Liveness, liveness
from myia.optimise.code import Block, Code, operation

ADDED = {n.removesuffix("_added"): n for n in rt.FACADE if n.endswith("_added")}
INTO = {n.removesuffix("_into"): n for n in rt.FACADE if n.endswith("_into")}


def add_in_one_pass(code: Code) -> Code:
    live = liveness(code.body)
    notes = dict(code.notes)

    def joined(block: Block) -> Block:
        done: Block = []
        for s in block:
            made = _into(s, code) or (_added(done[-1], s, live) if done else None)
            if made is None:
                done.append(s)
                continue
            if isinstance(made, ast.Assign):
                done.pop()
            notes[made] = "adds in one pass"
            done.append(made)
        return done

    return replace(code.rewritten(joined), notes=notes)


def _added(previous: ast.stmt, s: ast.stmt, live: Liveness) -> ast.stmt | None:
    match previous, s:
        case (
            ast.Assign([ast.Name(part)], ast.Call(_, operands, []) as made),
            ast.Assign([ast.Name()] as targets, ast.Call(_, [ast.Name(total), ast.Name(added)], []) as value),
        ) if operation(value) == "add" and part == added != total and operation(made) in ADDED:
            if not live.dead_after(s, part) or not live.dead_after(s, total):
                return None
            function = ast.Attribute(ast.Name("rt", ast.Load()), ADDED[operation(made) or ""], ast.Load())
            call = ast.Call(function, [ast.Name(total, ast.Load()), *operands], [])
            return ast.copy_location(ast.Assign(targets, call), s)
    return None


def _into(s: ast.stmt, code: Code) -> ast.stmt | None:
    match s:
        case ast.AugAssign(ast.Name(total), ast.Add(), ast.Call(_, operands, []) as made) if operation(
            made
        ) in INTO and code.is_array(total):
            function = ast.Attribute(ast.Name("rt", ast.Load()), INTO[operation(made) or ""], ast.Load())
            call = ast.Call(function, [ast.Name(total, ast.Load()), *operands], [])
            return ast.copy_location(ast.Expr(call), s)
    return None
