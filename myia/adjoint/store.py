"""Shadow form: the reverse code of what writes in place, and of what may share memory that is written.

A store `x[i] = y` is reversed by taking the adjoint of the elements out of the shadow of `x`, leaving zero,
and giving it to `y`. An update `x[i] op= y` is reversed as `x[i] = x[i] op y`, by the template of the
operator. The old elements are saved before, if a backprop reads them (`analysis/record.py`), and restored.
Other mutations, of lists, tables and objects, are undone by what `rt.mutate` gave when they ran.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING

import myia.runtime as rt
from myia.adjoint.code import SHADOWS, as_index, bind, item_of, load_name, runtime_call, shadows_call
from myia.adjoint.inline import Binding, instantiate
from myia.analysis.alias import VIEWS, is_basic, is_copied, is_reference, may_share
from myia.analysis.record import content
from myia.errors import MissingRule, UnsupportedSyntax
from myia.parse.program import Program, names_read
from myia.parse.typed import Operation
from myia.parse.types import ANY, REAL, Array, Type, is_number

if TYPE_CHECKING:
    from myia.adjoint.reverse import Emitter

__all__ = ["SHADOWS", "contribute", "refuse_captured_numbers", "reversed_in_shadow", "unpack"]


def reversed_in_shadow(e: Emitter, operation: Operation, value: ast.expr) -> bool:
    """Generate the reverse code of a statement that writes, or whose target is in shadow form."""
    match operation.kind:
        case "store":
            _store(e, operation)
            return True
        case "update":
            _update(e, operation)
            return True
        case "mutator":
            _mutation(e, operation)
            return True
        case "user":
            return False  # `Emitter._user_call` does both forms
    if not e.reversal.kept(e.target):
        return _read(e, operation, value)
    match operation.kind:
        case "alias":
            if not e.reversal.sure(e.target) and e.has_adjoint:
                e.contribute(operation.operands["x"], e.adjoint)
        case "tuple" | "list":
            elements = list(operation.operands.values()) or getattr(value, "elts", [])
            _display(e, [(ast.Constant(k), element) for k, element in enumerate(elements)])
        case "dict":
            assert isinstance(value, ast.Dict)
            # Where a key repeats, the last one's value is in the dictionary.
            entries = [(k, v) for k, v in zip(value.keys, value.values, strict=True) if k is not None]
            _display(e, entries[::-1])
        case "rule" if operation.function in _CONSTRUCTION:
            _construction(e, operation)
        case "rule":
            _rule(e, operation, value)
        case "dynamic":
            return False
        case "inactive" | "opaque" if isinstance(value, ast.Attribute):
            _attribute(e, value)
        case "opaque":
            return False
    return True


_CONSTRUCTION = {rt.append: "append", rt.insert: "__setitem__", rt.include: "add"}
"""What adds an item to a container under construction, and the method it is where that is written later."""


# -- writing --------------------------------------------------------------------------------------


def _store(e: Emitter, operation: Operation) -> None:
    """`x[i] = y`, for an array."""
    x, i, y = (operation.operands[name] for name in ("x", "i", "y"))
    assert isinstance(x, ast.Name)
    _overwrites(e, x.id, i)
    if not e.reversal.kept(x.id):
        return
    d_x = e.names[x.id]
    if not e.is_active(y):
        place = ast.Subscript(load_name(d_x), i, ast.Store())
        e.emit(ast.copy_location(ast.Assign([place], ast.Constant(0.0)), e.statement))
        return
    g = _item_like(e, f"{d_x}_part", d_x, i)
    e.emit(bind(g, runtime_call("take_at", load_name(d_x), as_index(i)), e.statement))
    _give(e, operation, load_name(g), is_number(operation.type))


def _update(e: Emitter, operation: Operation) -> None:
    """`x[i] op= y` or `x op= y`, for an array."""
    x, y = operation.operands["x"], operation.operands["y"]
    whole = "i" not in operation.operands
    i = operation.operands.get("i", ast.Constant(...))
    assert isinstance(x, ast.Name)
    _overwrites(e, x.id, i)
    if not e.reversal.kept(x.id):
        return
    d_x = e.names[x.id]
    scalar = is_number(operation.type) and not whole
    basic = is_basic(e.typed, i)
    if operation.function in (operator.add, operator.sub) and basic:
        if e.is_active(y):
            part: ast.expr = item_of(load_name(d_x), i)
            if not scalar:
                part = copied_item(e, load_name(d_x), i)
            _give(e, operation, part, scalar, operation.function is operator.sub)
        return
    if operation.rule is None:
        if operation.function in (operator.floordiv,):
            place = ast.Subscript(load_name(d_x), i, ast.Store())
            e.emit(ast.copy_location(ast.Assign([place], ast.Constant(0.0)), e.statement))
            return
        e.generator.refuse(
            MissingRule,
            e.statement,
            "this operator has no derivative rule",
            f"the gradient depends on {x.id!r}, which it writes into",
            "write it with operators that have rules",
        )
    g = _item_like(e, f"{d_x}_part", d_x, i)
    old, new = _item_like(e, f"{x.id}_old", x.id, i), _item_like(e, f"{x.id}_new", x.id, i)
    if scalar:
        for name in (g, old, new):
            e.typed.types[name] = operation.type
            e.reversal.adjoint_types[name] = operation.type
    first, second = list(operation.rule.signature.parameters)[:2]
    operands: dict[str, ast.expr] = {first: load_name(old), second: y}
    wanted = {first, second} if e.is_active(y) else {first}
    terms = list(
        instantiate(operation.rule, operands, new, load_name(g), wanted.__contains__, e.generator.fresh)
    )
    read = {n for term in terms for n in names_read(term.value)}
    if new in read:
        e.reversal.before[e.statement] = [bind(new, copied_item(e, x, i), e.statement)]
    e.emit(bind(g, runtime_call("take_at", load_name(d_x), as_index(i)), e.statement))
    if old in read:
        e.emit(bind(old, item_of(x, i), e.statement))
    for term in terms:
        if isinstance(term, Binding):
            e.emit(bind(term.name, term.value, e.statement))
        elif term.parameter == first:
            value = ast.UnaryOp(ast.USub(), term.value) if term.negative else term.value
            if scalar:  # what is written over next has no cotangent, and may be infinite
                value = ast.IfExp(load_name(g), value, ast.Constant(0.0))
            if basic:
                place = ast.Subscript(load_name(d_x), i, ast.Store())
                made: ast.stmt = ast.AugAssign(place, ast.Add(), value)
            else:
                made = ast.Expr(runtime_call("add_at", load_name(d_x), as_index(i), value))
            e.emit(ast.copy_location(made, e.statement))
        else:
            value = ast.IfExp(load_name(g), term.value, ast.Constant(0.0)) if scalar else term.value
            _give(e, operation, value, scalar, term.negative)


def _mutation(e: Emitter, operation: Operation) -> None:
    """Anything else that writes: undone by what `rt.mutate` gave."""
    operands = list(operation.operands.values())
    names = {name for operand in operands for name in names_read(operand)}
    undo = e.generator.fresh(f"undo_{_named(operation)}")
    e.reversal.mutations[e.statement] = undo
    e.reversal.contents[e.statement] = frozenset(names)
    active = any(map(e.reversal.kept, names))
    table: ast.expr = SHADOWS if active else ast.Constant(None)
    call = ast.Call(load_name(undo), [table, e.adjoint], [])
    given = [
        (k, o)
        for k, o in enumerate(operands)
        if isinstance(o, ast.Name) and e.is_active(o) and not _is_sure(e, o)  # an index may be a tuple
    ]
    if not active or not given:
        e.emit(ast.copy_location(ast.Expr(call), e.statement))
        return
    parts = e.generator.fresh("parts")
    e.emit(bind(parts, call, e.statement))
    for k, operand in given:
        e.contribute(operand, item_of(load_name(parts), ast.Constant(k)))


def _construction(e: Emitter, operation: Operation) -> None:
    """A comprehension adds an item to what it builds: as the method would, and undone likewise."""
    items, *parts = operation.operands.values()
    method = _CONSTRUCTION[operation.function]
    made = Operation("mutator", operation.type, ("method", method), operands={})
    made.operands.update({str(k): o for k, o in enumerate((items, *parts))})
    e.reversal.constructions[e.statement] = made
    _mutation(e, made)


def _named(operation: Operation) -> str:
    kind, *rest = operation.function
    if kind == "method":
        return str(rest[0]).strip("_")
    if kind == "function":
        return getattr(rest[0], "__name__", "write")
    return str(kind)


def _overwrites(e: Emitter, owner: str, index: ast.expr) -> None:
    from myia.adjoint.reverse import Overwritten

    representative = e.reversal.aliases.class_of(owner)
    assert representative is not None
    old = copied_item(e, load_name(owner), index)
    e.reversal.overwritten[e.statement] = Overwritten(owner, index, content(representative), old)


def copied_item(e: Emitter, x: ast.Name, index: ast.expr) -> ast.expr:
    """The elements of an array that an index selects, in memory of their own; `x` may be its shadow."""
    t = e.typed.types.get(x.id) or e.reversal.adjoint_types.get(x.id, ANY)
    if isinstance(t, Array) and t.rank is not None and is_basic(e.typed, index):
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        numbers = [p for p in parts if not isinstance(p, (ast.Slice, ast.Constant)) or _is_integer(p)]
        if len(numbers) == len(parts) == t.rank:
            return item_of(x, index)  # a number
        if len(numbers) < t.rank:
            return ast.Call(ast.Attribute(item_of(x, index), "copy", ast.Load()), [], [])
    return runtime_call("copied_at", x, as_index(index))


def _is_integer(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _give(e: Emitter, operation: Operation, g: ast.expr, scalar: bool, negative: bool = False) -> None:
    """Add the cotangent of elements to what was stored in them, which may have been broadcast."""
    x, y = operation.operands["x"], operation.operands["y"]
    i = operation.operands.get("i", ast.Constant(...))
    exact = e.generator.reversal.shapes.same_as_item(e.statement, x, i, y)
    if negative and not _is_array(e, y):  # the cotangent of a list is a list
        g, negative = ast.UnaryOp(ast.USub(), g), False
    if not exact and not (scalar and is_number(e.typed.type_of(y))):
        g = runtime_call("unbroadcast", g, e.shaped_like(y))
    e.contribute(y, g, negative)


def _fresh_like(e: Emitter, hint: str, like: str) -> str:
    name = e.generator.fresh(hint)
    types = e.reversal.adjoint_types
    found = types.get(like) or e.typed.types.get(like, ANY)
    types[name] = e.typed.types[name] = found
    return name


def _item_like(e: Emitter, hint: str, like: str, index: ast.expr) -> str:
    """A name for elements of an array: a number, or an array of the rank that a basic index leaves."""
    name = _fresh_like(e, hint, like)
    types = e.reversal.adjoint_types
    whole = types[name]
    if isinstance(whole, Array):
        found: Type = Array(whole.dtype, None)
        if whole.rank is not None and is_basic(e.typed, index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            taken = sum(not isinstance(p, (ast.Slice, ast.Constant)) or _is_integer(p) for p in parts)
            made = sum(isinstance(p, ast.Constant) and p.value is None for p in parts)
            rank = whole.rank - taken + made
            found = Array(whole.dtype, rank) if rank > 0 else REAL
        types[name] = e.typed.types[name] = found
    return name


# -- what is in shadow form -----------------------------------------------------------------------


def _display(e: Emitter, entries: list[tuple[ast.expr, ast.expr]]) -> None:
    """A container is made: the adjoints of the numbers in it were kept with it."""
    wanted = [(key, item) for key, item in entries if e.is_active(item) and not _is_sure(e, item)]
    if wanted:
        _give_slots(
            e, load_name(_result_name(e, {n for _, item in entries for n in names_read(item)})), wanted
        )


def _give_slots(e: Emitter, container: ast.expr, wanted: list[tuple[ast.expr, ast.expr]]) -> None:
    parts = e.generator.fresh("parts")
    e.emit(bind(parts, shadows_call("ended", container), e.statement))
    for key, item in wanted:
        pop = ast.Call(ast.Attribute(load_name(parts), "pop", ast.Load()), [key, ast.Constant(0.0)], [])
        e.contribute(item, pop)


def unpack(e: Emitter, name: str, expression: ast.expr) -> None:
    """A tuple or table made for a call: the adjoints of its numbers go to what it was made of."""
    if isinstance(expression, ast.Dict):
        entries = [(k, v) for k, v in zip(expression.keys, expression.values, strict=True) if k is not None]
    else:
        assert isinstance(expression, ast.Tuple)
        entries = [(ast.Constant(k), v) for k, v in enumerate(expression.elts)]
    wanted = [(key, item) for key, item in entries if e.is_active(item) and not _is_sure(e, item)]
    if wanted:
        _give_slots(e, load_name(name), wanted)


def _rule(e: Emitter, operation: Operation, value: ast.expr) -> None:
    """An operation whose result is in shadow form: new memory, a view, or only the run knows."""
    assert operation.rule is not None
    read = names_read(value)
    own = _result_name(e, read)
    target = load_name(own)
    t = e.typed.types.get(e.target, ANY)
    named = {n for o in operation.operands.values() for n in names_read(o)}
    references: list[ast.expr] = [load_name(n) for n in sorted(named) if n in e.reversal.aliases.classes]
    arrays = all(_is_array(e, o) for o in references)
    if operation.function is operator.getitem:
        x, i = operation.operands["x"], operation.operands["i"]
        if not _is_array(e, x):
            e.emit(_effect(e, shadows_call("item", x, as_index(i), target, e.adjoint)))
            return
        if is_reference(t) and is_basic(e.typed, i):
            return
        fresh = is_copied(e.typed, i)
    else:
        if operation.function in VIEWS and references and arrays and is_reference(t):
            return
        fresh = not may_share(e.typed, operation, value)
    if is_reference(t) and isinstance(t, Array) and (fresh or (arrays and len(references) == 1)):
        g = _fresh_like(e, f"d_{own}_made", e.target)
        taken = [bind(g, shadows_call("take", target), e.statement)]
        if fresh:
            e.code += taken
            e.adjoint = load_name(g)
            e.rule(operation, value)
            return
        test: ast.expr = ast.UnaryOp(ast.Not(), runtime_call("shares", target, references[0]))
    else:
        g = e.generator.fresh(f"d_{own}_made")
        operands = ast.Tuple(references, ast.Load())
        e.emit(bind(g, shadows_call("cotangent", target, e.adjoint, operands), e.statement))
        taken = []
        test = runtime_call("matters", load_name(g))
    # What is only sometimes contributed to must be bound in any case.
    for operand in operation.operands.values():
        for name in sorted(names_read(operand) & e.generator.valued - e.bound):
            e.emit(e.generator.zero(name, e.statement))
            e.bound |= {name}
    outer, e.code = e.code, taken
    e.adjoint = load_name(g)
    e.rule(operation, value)
    inner, e.code = e.code, outer
    if inner:
        e.emit(ast.copy_location(ast.If(test, inner, []), e.statement))


def _read(e: Emitter, operation: Operation, value: ast.expr) -> bool:
    """A number read from a container or object in shadow form, whose adjoint is kept there."""
    if operation.function is operator.getitem and operation.kind == "rule":
        x, i = operation.operands["x"], operation.operands["i"]
        if isinstance(x, ast.Name) and e.reversal.kept(x.id) and not e.reversal.handle(x.id):
            if is_number(e.typed.types.get(e.target, ANY)):
                e.emit(_effect(e, shadows_call("item", x, as_index(i), ast.Constant(0.0), e.adjoint)))
                return True
    return False


def _attribute(e: Emitter, value: ast.Attribute) -> None:
    """`y = x.name`, of an object."""
    name = ast.Constant(value.attr)
    own = _result_name(e, names_read(value))
    e.emit(_effect(e, shadows_call("attribute", value.value, name, load_name(own), e.adjoint)))


def contribute(e: Emitter, name: str, value: ast.expr, index: ast.expr | None) -> None:
    """Add to the adjoint of what is in shadow form and is no array, as far as types tell."""
    x = load_name(name)
    if index is not None:
        e.emit(_effect(e, shadows_call("item", x, as_index(index), ast.Constant(0.0), value)))
        return
    if e.reversal.sure(name):
        e.emit(_effect(e, shadows_call("add", x, ast.Constant(0.0), value)))
        return
    d_name = e.names[name]
    known: ast.expr = load_name(d_name) if name in e.bound else ast.Constant(0.0)
    e.emit(bind(d_name, shadows_call("add", x, known, value), e.statement))
    e.bound |= {name}


def refuse_captured_numbers(
    e: Emitter, function: ast.expr, callee: Program, shadowed: set[str], values: dict[str, ast.expr]
) -> None:
    """A function passed on as a value that writes: its captured numbers have no place of their own."""
    if shadowed and values.keys() & set(callee.captures) and any(map(e.reversal.kept, names_read(function))):
        e.generator.refuse(
            UnsupportedSyntax,
            function,
            "a nested function that writes into what it captured is passed on as a value",
            "it captured numbers too, whose adjoints would have no place of their own",
            "pass the captured variables as arguments",
        )


def _result_name(e: Emitter, read: set[str]) -> str:
    """The name of the result: in `h = op(h)`, another one than that of the operand."""
    if e.target in read and e.result == e.target:
        e.result = e.generator.fresh(f"{e.target}_next")
        e.reversal.results[e.statement] = e.result
        e.typed.types[e.result] = e.typed.types.get(e.target, ANY)
        if e.has_adjoint:
            kept = _fresh_like(e, f"{e.names[e.target]}_out", e.names[e.target])
            e.emit(bind(kept, e.adjoint, e.statement))
            e.adjoint = load_name(kept)
    return e.result


def _effect(e: Emitter, call: ast.Call) -> ast.stmt:
    return ast.copy_location(ast.Expr(call), e.statement)


def _is_sure(e: Emitter, operand: ast.expr) -> bool:
    return isinstance(operand, ast.Name) and e.reversal.sure(operand.id)


def _is_array(e: Emitter, operand: ast.expr) -> bool:
    t = e.typed.type_of(operand)
    return isinstance(t, Array) and t.rank is not None


def _may_refer(e: Emitter, operand: ast.expr) -> bool:
    return isinstance(operand, ast.Name) and operand.id in e.reversal.aliases.classes
