"""Stretches of statements made blocks that are run again, as `with myia.checkpoint():` makes them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np

import myia.runtime as rt
from myia import manual
from myia.adjoint.checkpoint import effect_in, is_repeated
from myia.parse.infer import Inference
from myia.parse.program import is_once, names_read, names_written, statements_of
from myia.parse.trees import placed
from myia.parse.typed import Typed
from myia.parse.types import INT

_WRITES = frozenset({"store", "update", "mutator", "object", "dynamic"})


def may_repeat(typed: Typed, s: ast.stmt) -> bool:
    """Whether a statement may be part of a block that nobody asked for.

    Not if it writes in place or draws random numbers: what it writes over, or drew, would have to be
    kept beside the block's state. Nor if it leaves, makes a function, is a loop, or calls what cannot be run
    again.
    """
    for inner in statements_of([s]):
        if isinstance(inner, (ast.For, ast.While, ast.Break, ast.Raise, ast.FunctionDef, ast.Return)):
            return False
        operation = typed.operations.get(inner)
        if operation is None:
            continue
        if operation.kind == "user":
            if operation.callee is None or effect_in(operation.callee, set()) is not None:
                return False
        elif operation.kind in _WRITES or not is_repeated(operation, inner):
            return False
    return True


def is_quiet(typed: Typed, s: ast.stmt) -> bool:
    """Whether nobody can tell if a statement was run once or twice: it neither draws nor has effects."""
    for inner in statements_of([s]):
        operation = typed.operations.get(inner)
        if isinstance(inner, ast.Expr) or (operation is not None and _draws(operation.function)):
            return False
    return True


def is_pure(typed: Typed, s: ast.stmt) -> bool:
    """Whether a statement can be run once more before the gradient is computed, without a trace.

    Random numbers may be drawn, since the state of NumPy's generators can be put back; effects (`Expr`) are
    left out of such a run.
    """
    for inner in statements_of([s]):
        operation = typed.operations.get(inner)
        if operation is None or isinstance(inner, ast.Expr):
            continue
        if operation.kind == "user":
            if operation.callee is None or effect_in(operation.callee, set()) is not None:
                return False
        elif operation.kind in ("store", "update"):
            continue
        elif operation.kind in ("mutator", "object", "dynamic") or (
            not is_repeated(operation, inner) and not _draws(operation.function)
        ):
            return False
    return True


def _draws(function: Any) -> bool:
    """Whether a function draws from NumPy's own generator, or from one that a variable holds."""
    owner = getattr(function, "__self__", None)
    return isinstance(owner, np.random.RandomState) and not isinstance(owner, ModuleType)


def make_blocks(typed: Typed, chosen: Sequence[tuple[int, int]]) -> None:
    """Put the statements of the body from `start` to `stop - 1` into a block, for each pair."""
    _rewrite(typed, _wrapped(typed, typed.program.body, chosen))


def divide_recursion(inference: Inference, everywhere: bool) -> None:
    """Make blocks in functions that call themselves, apart from the calls.

    In those that the user made checkpoints of, or `everywhere`. As one block, such a function would hold
    the values of all levels when the innermost is reversed, and be run again once for each level around. So
    each level is run again but for the call, and keeps what it passes on.
    """
    for typed in list(dict.fromkeys(inference.typed.values())):
        marked = getattr(typed.program.function, manual.MARK, False)
        if not (marked or everywhere) or not calls(typed, typed):
            continue
        body = typed.program.body
        if marked and len(body) == 1 and is_once(body[0]):
            assert isinstance(body[0], ast.For)
            body = body[0].body
        _rewrite(typed, _divided(typed, body))


def is_recursive(inference: Inference) -> bool:
    return any(calls(typed, typed) for typed in dict.fromkeys(inference.typed.values()))


def calls(typed: Typed, other: Typed, seen: set[Typed] | None = None) -> bool:
    """Whether a program calls another one, perhaps through others."""
    seen = set() if seen is None else seen
    for operation in typed.operations.values():
        callee = operation.callee
        if callee is None:
            continue
        if callee is other:
            return True
        if callee not in seen:
            seen.add(callee)
            if calls(callee, other, seen):
                return True
    return False


def _divided(typed: Typed, body: list[ast.stmt]) -> list[ast.stmt]:
    done: list[ast.stmt] = []
    for simple, group in groupby(body, lambda s: _is_simple(typed, s)):
        statements = list(group)
        if simple and sum(_computes(typed, s) for s in statements) > 1:
            done += _wrapped(typed, statements, [(0, len(statements))])
        elif simple:
            done += statements
        else:
            done += [_inside(typed, s) for s in statements]
    return done


def _inside(typed: Typed, s: ast.stmt) -> ast.stmt:
    if isinstance(s, ast.If):
        made = ast.If(s.test, _divided(typed, s.body), _divided(typed, s.orelse))
        return ast.copy_location(made, s)
    return s


def _is_simple(typed: Typed, s: ast.stmt) -> bool:
    """Whether a statement of a recursive function may be run again, and is no part of the recursion."""
    if not isinstance(s, ast.Assign) or typed.program.result in names_written(s):
        return False
    operation = typed.operations.get(s)
    callee = None if operation is None else operation.callee
    return may_repeat(typed, s) and (callee is None or not (callee is typed or calls(callee, typed)))


def _computes(typed: Typed, s: ast.stmt) -> bool:
    operation = typed.operations.get(s)
    return operation is not None and operation.kind in ("rule", "user")


def _wrapped(typed: Typed, body: list[ast.stmt], chosen: Iterable[tuple[int, int]]) -> list[ast.stmt]:
    taken = {n for s in statements_of(typed.program.body) for n in (*names_written(s), *names_read(s))}
    taken |= {*typed.program.arguments, *typed.program.inputs, *typed.program.constants, *typed.types}
    done = list(body)
    for start, stop in sorted(chosen, reverse=True):
        name, count = "once", 1
        while name in taken:
            count += 1
            name = f"once_{count}"
        taken.add(name)
        typed.types[name] = INT
        at = body[start]
        walk = ast.Call(ast.Attribute(ast.Name("rt", ast.Load()), "once", ast.Load()), [], [])
        block = ast.For(ast.Name(name, ast.Store()), walk, done[start:stop], [])
        done[start:stop] = [placed(block, at)]
    return done


def _rewrite(typed: Typed, body: list[ast.stmt]) -> None:
    constants = {**typed.program.constants, "rt": rt, "rt.once": rt.once}
    typed.program = replace(typed.program, body=body, constants=constants)
