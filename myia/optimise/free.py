"""Arrays are let go of at their last use, in both sweeps: a local variable would hold them to the end.

    d_total = rt.tanh_adjoint(d_h, h)          d_total = rt.tanh_adjoint(d_h, h)
    d_b = rt.unbroadcast(d_total, b)    ->     d_b = rt.unbroadcast(d_total, b)
    ...                                        del d_total

What a loop or a branch uses last is let go of after it, if it is certainly bound then. What only one side of
a branch uses may stay until the end: that is safe, and seldom large.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import partial
from itertools import zip_longest

from myia.analysis.dataflow import ForwardFlow
from myia.analysis.liveness import all_read
from myia.optimise.code import Block, Code, with_blocks
from myia.parse.program import blocks_of, names_written, statements_of
from myia.parse.types import ANY, may_hold_array

Names = frozenset[str]

_NOTHING = ast.Pass()


def free_dead(code: Code, given: Names) -> Code:
    """`given`: the parameters of the function, which the caller holds anyway."""
    live = code.live
    certain = _flow(code.body, given).after
    bound = {n for s in statements_of(code.body) for n in names_written(s)} - live.pinned
    arrays = {n for n in bound if may_hold_array(code.types.get(n, ANY))} - _plain(code.body)
    ended = (ast.Return, ast.Raise, ast.Break, ast.FunctionDef)

    def dying(s: ast.stmt) -> Names:
        if isinstance(s, ended):
            return frozenset()
        mentioned = {n for inner in statements_of([s]) for n in (*all_read(inner), *names_written(inner))}
        return frozenset(mentioned & arrays - live.after[s])

    # What is let go of where it is used need not be after the loop or branch around that.
    simple = {n for s in statements_of(code.body) if not blocks_of(s) for n in dying(s)}

    def freeing(block: Block, outside: Names = frozenset()) -> Block:
        done: Block = []
        for s, following in zip_longest(block, block[1:], fillvalue=_NOTHING):
            dead = dying(s) - {*names_written(following)}
            if blocks_of(s):
                dead = dead & certain.get(s, frozenset()) - simple - outside
                inner = outside | dead
                s = with_blocks(s, partial(freeing, outside=inner))
            done.append(s)
            if dead:
                targets: list[ast.expr] = [ast.Name(n, ast.Del()) for n in sorted(dead)]
                freed = ast.copy_location(ast.Delete(targets), s)
                done.append(freed)
                if blocks_of(s):
                    unsure.append(freed)
        return done

    unsure: list[ast.Delete] = []
    parts = [freeing(part) for part in code.parts]
    return _only_bound(replace(code, parts=parts), unsure, given)


def _only_bound(code: Code, unsure: list[ast.Delete], given: Names) -> Code:
    """Without letting go of what something before may have let go of already: it need not be bound again."""
    while True:
        bound = _flow(code.body, given).before
        names = {s: frozenset(_names_deleted(s)) for s in unsure}
        wrong = {s: gone for s, names in names.items() if (gone := names - bound.get(s, names))}
        if not wrong:
            return code

        def kept(block: Block, wrong: dict[ast.Delete, Names] = wrong) -> Block:
            done: Block = []
            for s in block:
                if isinstance(s, ast.Delete) and s in wrong:
                    s.targets = [t for t in s.targets if isinstance(t, ast.Name) and t.id not in wrong[s]]
                    if not s.targets:
                        continue
                done.append(s)
            return done

        code = code.rewritten(kept)


def _names_deleted(s: ast.stmt) -> list[str]:
    return [t.id for t in s.targets if isinstance(t, ast.Name)] if isinstance(s, ast.Delete) else []


def _plain(block: Block) -> set[str]:
    """Variables of the compiler's own that hold no array: stacks, which end empty, shapes, counts."""
    found = set()
    for s in statements_of(block):
        match s:
            case ast.Assign(
                [ast.Name(name)],
                ast.List([]) | ast.Constant(int()) | ast.Attribute(_, "shape") | ast.Call(ast.Name("len")),
            ):
                found.add(name)
            case ast.For(ast.Name(name)):  # a position
                found.add(name)
    return found


def _flow(block: Block, given: Names) -> ForwardFlow[Names]:
    """The variables certainly bound before and after each statement."""

    def transfer(s: ast.stmt, bound: Names) -> Names:
        return bound.union(names_written(s)).difference(_names_deleted(s))

    flow = ForwardFlow(transfer, lambda a, b: a & b)
    flow.block(block, given)
    return flow
