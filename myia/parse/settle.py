"""What types settle about a program, once they are known.

- A branch that is never taken is dropped (`decide.py`).
- `x = rt.iadd(x, y)` of a number is `x = x + y`.
- A test of a container or array is the test of its truth as it is then: what is tested may change later.
- A call for its effect that writes in place is an assignment, so that the reverse sweep passes it.
- `x = Point(a, b)` is a new object, and what sets its attributes.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import myia.runtime as rt
from myia.parse.decide import decided
from myia.parse.program import UPDATES, names_read, names_written, statements_of
from myia.parse.trees import placed
from myia.parse.typed import EFFECT, Operation, Typed
from myia.parse.types import (
    ANY,
    BOOL,
    INT,
    NONE,
    Array,
    Bottom,
    Dict,
    Known,
    List,
    Nested,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
    is_immutable,
)

_PLAIN = {name: kind for kind, name in UPDATES.items()}


def settled(typed: Typed, writes: Callable[[Typed], bool]) -> list[ast.stmt]:
    """The body of a typed program, settled. `writes`: whether a called program writes in place."""
    taken = {name for s in statements_of(typed.program.body) for name in (*names_written(s), *names_read(s))}
    taken |= {*typed.program.arguments, *typed.program.inputs, *typed.program.constants}

    def fresh(hint: str) -> str:
        name, count = hint, 1
        while name in taken:
            count += 1
            name = f"{hint}_{count}"
        taken.add(name)
        return name

    def block(statements: list[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        pending = list(statements)
        while pending:
            match pending:
                case [ast.For(_, ast.Call(_, [ast.Name(n)])) as loop, ast.Expr(value), *rest] if (
                    walked := walked_list(value)
                ) is not None and walked[1] == n:
                    done += growing(loop, walked[0])
                    pending = rest
                case [s, *rest]:
                    done += statement(s)
                    pending = rest
        return done

    def walked_list(value: ast.expr) -> tuple[ast.expr, str] | None:
        """The list that may grow in the loop before, and its length at first."""
        match value:
            case ast.Call(ast.Attribute(ast.Name("rt"), "walked"), [x, ast.Name(count)]) if may_grow(x):
                return x, count
        return None

    def growing(loop: ast.For, x: ast.expr) -> Iterator[ast.stmt]:
        """A loop over a list that may grow meanwhile: like Python, it looks at the length each time."""

        def assign(name: str, value: ast.expr, operation: Operation) -> ast.stmt:
            typed.types[name] = operation.type
            return made(loop, ast.Assign([ast.Name(name, ast.Store())], value), operation)

        def name(of: str) -> ast.expr:
            return placed(ast.Name(of, ast.Load()), loop)

        position, length, test = fresh("position"), fresh("length"), fresh("test")
        zero, one = ast.Constant(0), ast.Constant(1)
        assert isinstance(loop.target, ast.Name)
        size = ast.Call(ast.Attribute(ast.Name("rt", ast.Load()), "builtin_len", ast.Load()), [x], [])
        left = ast.Compare(name(position), [ast.Lt()], [name(length)])
        body = [
            assign(loop.target.id, name(position), Operation("alias", INT, operands={"x": name(position)})),
            assign(
                position, ast.BinOp(name(position), ast.Add(), one), Operation("inactive", INT, operator.add)
            ),
            *block(loop.body),
        ]
        yield assign(position, zero, Operation("alias", INT, operands={"x": zero}))
        inside = [
            assign(length, size, Operation("inactive", INT, len)),
            assign(test, left, Operation("inactive", BOOL, operator.lt)),
            placed(ast.If(name(test), body, [placed(ast.Break(), loop)]), loop),
        ]
        yield placed(ast.While(placed(ast.Constant(True), loop), inside, []), loop)

    def statement(s: ast.stmt) -> Iterator[ast.stmt]:
        match s:
            case ast.If(test, body, orelse):
                branch = decided(s, typed.type_of)
                if branch is not None:
                    yield from block(branch)
                    return
                t = typed.type_of(test)
                if isinstance(test, ast.Name) and not isinstance(t, (Scalar, NumpyScalar, Known, Bottom)):
                    truth = ast.Call(ast.Name("bool", ast.Load()), [test], [])
                    name = fresh(f"{test.id}_holds")
                    yield made(
                        s, ast.Assign([ast.Name(name, ast.Store())], truth), Operation("inactive", BOOL, bool)
                    )
                    typed.types[name] = BOOL
                    test = placed(ast.Name(name, ast.Load()), test)
                yield placed(ast.If(test, block(body) or [placed(ast.Pass(), s)], block(orelse)), s)
            case ast.For(target, walk, body):
                yield placed(ast.For(target, walk, block(body), []), s)
            case ast.While(test, body):
                yield placed(ast.While(test, block(body), []), s)
            case ast.Assign(targets, ast.Call(ast.Attribute(ast.Name("rt"), name), [x, y]) as call) if (
                name in _PLAIN and is_immutable(typed.type_of(x))
            ):
                plain = placed(ast.BinOp(x, _PLAIN[name](), y), call)
                yield made(s, ast.Assign(targets, plain), typed.operations[s])
            case ast.Assign([ast.Name(name)], ast.Call() as call) if typed.operations[s].kind == "object":
                yield from new_object(s, name, call)
            case ast.Expr(ast.Call() as call) if (
                s in typed.operations and typed.operations[s].kind == "object"
            ):
                yield from new_object(s, fresh("made"), call)
            case ast.Expr(ast.Call(ast.Attribute(ast.Name("rt"), "walked"), [x, _])) if not may_grow(x):
                return
            case ast.Expr(value) if has_effect(s):
                name, operation = fresh("unused"), typed.operations[s]
                if operation.kind == "dynamic":
                    operation = replace(operation, why=EFFECT)
                typed.types[name] = operation.type
                yield made(s, ast.Assign([ast.Name(name, ast.Store())], value), operation)
            case _:
                yield s

    def new_object(s: ast.stmt, name: str, call: ast.Call) -> Iterator[ast.stmt]:
        """`x = Point(a, b)` as a new object, and what sets its attributes."""
        operation = typed.operations[s]
        own = fresh(f"new_{name}") if name in names_read(call) else name
        typed.types[own] = operation.type
        new = ast.Call(ast.Attribute(ast.Name("rt", ast.Load()), "new", ast.Load()), [call.func], [])
        target = ast.Name(own, ast.Store())
        yield made(s, ast.Assign([target], new), Operation("inactive", operation.type, rt.new))
        itself = placed(ast.Name(own, ast.Load()), s)
        if operation.callee is None:
            for attribute, value in operation.operands.items():
                if isinstance(value, (ast.List, ast.Dict)):
                    is_list = isinstance(value, ast.List)
                    t: Type = List(ANY) if is_list else Dict(None, (ANY,))
                    empty = Operation("list" if is_list else "dict", t)
                    value = yield from bound(s, fresh(attribute), value, empty)
                place = ast.Attribute(itself, attribute, ast.Store())
                operands = {"x": itself, "y": value}
                yield made(
                    s,
                    ast.Assign([place], value),
                    Operation("mutator", NONE, ("setattr", attribute), None, operands),
                )
        else:
            init = ast.Attribute(call.func, "__init__", ast.Load())
            function = operation.function.__init__
            typed.program.constants[ast.unparse(init)] = function
            first = next(iter(operation.operands))
            operands = {**operation.operands, first: itself}
            initial = placed(ast.Call(init, [itself, *call.args], call.keywords), call)
            user = replace(operation, kind="user", type=NONE, function=function, operands=operands)
            yield from bound(s, fresh("unused"), initial, user)
        if own != name:
            alias = Operation("alias", operation.type, operands={"x": itself})
            yield from bound(s, name, itself, alias)

    def bound(
        s: ast.stmt, name: str, value: ast.expr, operation: Operation
    ) -> Generator[ast.stmt, None, ast.expr]:
        typed.types[name] = operation.type
        yield made(s, ast.Assign([ast.Name(name, ast.Store())], value), operation)
        return placed(ast.Name(name, ast.Load()), s)

    def has_effect(s: ast.stmt) -> bool:
        operation = typed.operations.get(s)
        if operation is None:
            return False
        if operation.kind == "dynamic":  # what is called for its effect may well write into its operands
            own = names_read(s) - {*typed.program.inputs, *typed.program.constants}
            return any(may_hold(typed.types.get(name, ANY)) for name in own)
        return operation.kind in ("update", "mutator") or (
            operation.kind == "user" and operation.callee is not None and writes(operation.callee)
        )

    def may_grow(x: ast.expr) -> bool:
        """Whether a sequence is a list, or may be, and anything here may add to one."""
        t = typed.type_of(x)
        if isinstance(t, (Array, Tuple, Scalar, NumpyScalar)):
            return False
        return any(
            o.kind in ("mutator", "dynamic") or (o.callee is not None and writes(o.callee))
            for o in typed.operations.values()
        )

    def made(at: ast.stmt, new: ast.stmt, operation: Operation) -> ast.stmt:
        typed.operations[new] = operation
        return placed(new, at)

    return block(typed.program.body)


def may_hold(t: Type) -> bool:
    """Whether a value of this type may be written into."""
    return not isinstance(t, (Scalar, NumpyScalar, Known, Bottom, Nested))


def writes_in_place(typed: Typed, seen: set[Typed] | None = None) -> bool:
    """Whether a program, or one that it calls, writes in place into anything."""
    seen = set() if seen is None else seen
    if typed in seen:
        return False
    seen.add(typed)
    for operation in typed.operations.values():
        if operation.kind in ("store", "update", "mutator", "object") or operation.why == EFFECT:
            return True
        if operation.callee is not None and writes_in_place(operation.callee, seen):
            return True
    return False
