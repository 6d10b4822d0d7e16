"""In a debug build, what the reverse sweep will read is marked, and writing to it raises.

    h_saved.append(h)    ->    h_saved.append(rt.marked(h))
    ...                        ...
    h = h_saved.pop()          h = rt.unmarked(h_saved.pop())

Marked are arrays in value form, which nothing may write into once they are kept, until they are taken back or
let go of.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from myia.adjoint.code import load_name, runtime_call, shape_questions
from myia.adjoint.mirror import free_names
from myia.analysis.record import assigned_before
from myia.optimise.code import Block, Code
from myia.parse.program import names_written, statements_of
from myia.parse.types import Array


def mark_kept(code: Code) -> Code:
    """Marks what is pushed, and what the parts after the first read as the first one left it."""

    def is_kept(name: str) -> bool:
        return isinstance(code.types.get(name), Array) and name not in code.written

    def marked(block: Block) -> Block:
        done: Block = []
        for s in block:
            if isinstance(s, ast.Delete):
                for name in (t.id for t in s.targets if isinstance(t, ast.Name) and is_kept(t.id)):
                    free = ast.copy_location(ast.Expr(runtime_call("unmarked", load_name(name))), s)
                    done.insert(_last_read(done, name), free)
            done += _marked(s, is_kept)
        return done

    made = code.rewritten(marked)
    forward, *others = made.parts
    bound = assigned_before(forward, frozenset())[1] or frozenset()
    read = free_names([s for part in others for s in part])
    kept = [ast.Expr(runtime_call("marked", load_name(n))) for n in sorted(read & bound) if is_kept(n)]
    made.parts[0] = [*forward, *kept] if others else forward
    return made


def _marked(s: ast.stmt, is_kept: Callable[[str], bool]) -> Block:
    made: ast.stmt
    match s:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(stack), "append") as push, [ast.Name(name)])) if (
            stack.startswith(f"{name}_saved") and is_kept(name)
        ):
            made = ast.Expr(ast.Call(push, [runtime_call("marked", load_name(name))], []))
            return [ast.copy_location(made, s)]
        case ast.Assign(
            [ast.Name(name)] as targets, ast.Call(ast.Attribute(ast.Name(stack), "pop")) as pop
        ) if stack.startswith(f"{name}_saved") and is_kept(name):
            made = ast.Assign(targets, runtime_call("unmarked", pop))
            return [ast.copy_location(made, s)]
    return [s]


def _last_read(block: Block, name: str) -> int:
    """Where in a block the elements of an array have been read: after that, only its shape is."""
    for k in reversed(range(len(block))):
        inner = list(statements_of([block[k]]))
        if any(name in names_written(s) or name in shape_questions(s)[1] for s in inner):
            return k + 1
    return len(block)
