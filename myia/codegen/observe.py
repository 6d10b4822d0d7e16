"""What a run does with memory, counted: arrays let go of, memory taken over, values computed again.

    d_x = rt.times(g, x, reuse=g)    ->    recorder.reusing(3, id(g))
    del g                                  d_x = rt.times(g, x, reuse=g)
                                           recorder.reused(3, d_x)
                                           recorder.freed(4, (g,))
                                           del g

Nothing here holds a reference: the counting must not keep alive what it counts.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from myia.adjoint.code import load_name
from myia.optimise.code import Block, Code
from myia.parse.program import names_written, statements_of
from myia.parse.types import ANY, may_hold_array
from myia.report import Recorder, Site


def observe(code: Code, recorder: Recorder, site: Callable[[str, str, ast.stmt], Site]) -> Code:
    """`site(kind, what, statement)` describes the place of a statement."""
    forward = {n for s in statements_of(code.parts[0]) for n in names_written(s)}
    reverse = {id(s) for part in code.parts[1:] for s in statements_of(part)}

    def number(kind: str, what: str, s: ast.stmt) -> ast.expr:
        return ast.Constant(recorder.site(site(kind, what, s)))

    def observed(block: Block) -> Block:
        return [made for s in block for made in _observed(s, code, id(s) in reverse, forward, number)]

    return code.rewritten(observed)


def _observed(
    s: ast.stmt,
    code: Code,
    in_reverse: bool,
    forward: Collection[str],
    number: Callable[[str, str, ast.stmt], ast.expr],
) -> Block:
    match s:
        case ast.Delete(targets):
            names = [t.id for t in targets if isinstance(t, ast.Name)]
            calls = [_call("freed", number("freed", n, s), load_name(n)) for n in names]
            return [*calls, s]
        case ast.Assign([ast.Name(name)], ast.Call(_, _, [ast.keyword("reuse", ast.Name(dead))])):
            place = number("reused", dead, s)
            identity = ast.Call(load_name("id"), [load_name(dead)], [])
            return [_call("reusing", identity), s, _call("reused", place, load_name(name))]
        case ast.Assign([ast.Name(name)], value) if in_reverse and name in forward and not _is_pop(value):
            if may_hold_array(code.types.get(name, ANY)):
                return [s, _call("computed", number("recomputed", name, s), load_name(name))]
    return [s]


def _is_pop(value: ast.expr) -> bool:
    match value:
        case ast.Call(ast.Attribute(_, "pop")) | ast.Subscript() | ast.Name() | ast.Constant():
            return True
    return False


def _call(name: str, *arguments: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Attribute(load_name("recorder"), name, ast.Load()), list(arguments), []))
