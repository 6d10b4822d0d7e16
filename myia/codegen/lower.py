"""Choose what runs each operation, from types: Python's operators for scalars, `rt.*` for arrays.

`a * b` stays as it is for floats and for what types do not tell (where Python decides when it runs);
for arrays it becomes `rt.multiply(a, b)`. Functions of the operator table become `rt.name`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import BuiltinFunctionType
from typing import Any

import myia.runtime as rt
from myia.codegen.namespace import Namespace
from myia.parse.examples import example_type
from myia.parse.infer import OPERATORS
from myia.parse.program import Program
from myia.parse.types import (
    ANY,
    Array,
    Instance,
    Known,
    Type,
    constant_type,
    is_number,
    join,
    may_hold_array,
)

_NAMES: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
    ast.MatMult: "matmul", ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.USub: "negative",
}  # fmt: skip


@dataclass
class Lowering:
    """Lowers the statements of one function. `types` covers its variables and their adjoints."""

    program: Program
    types: Mapping[str, Type]
    namespace: Namespace

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        return [made for s in statements for made in self.statement(s)]

    def statement(self, s: ast.stmt) -> list[ast.stmt]:
        made: ast.stmt
        match s:
            case ast.Assign([ast.Subscript() | ast.Attribute() as place], value):
                made = ast.Assign([self.target(place)], self.expression(value)[0])
            case ast.Assign(targets, value):
                made = ast.Assign(targets, self.expression(value)[0])
            case ast.AugAssign(target, op, value):
                made = ast.AugAssign(self.target(target), op, self.expression(value)[0])
            case ast.Expr(value):
                made = ast.Expr(self.expression(value)[0])
            case ast.If(test, body, orelse):
                made = ast.If(self.expression(test)[0], self.block(body) or [ast.Pass()], self.block(orelse))
            case ast.For(target, walk, body):
                made = ast.For(target, self.expression(walk)[0], self.block(body) or [ast.Pass()], [])
            case ast.While(test, body):
                made = ast.While(test, self.block(body) or [ast.Pass()], [])
            case ast.Assert(test, message):
                text = None if message is None else self.expression(message)[0]
                made = ast.Assert(self.expression(test)[0], text)
            case ast.Raise(exception, cause):
                raised = None if exception is None else self.expression(exception)[0]
                made = ast.Raise(raised, None if cause is None else self.expression(cause)[0])
            case ast.FunctionDef(name, arguments, body):
                inner = self.program.nested[name]
                untyped = Lowering(inner, {}, self.namespace)
                made = ast.FunctionDef(name, arguments, untyped.block(body), [])
                if "type_params" in ast.FunctionDef._fields:
                    made.type_params = []  # type: ignore[attr-defined]
            case ast.Return(value):
                made = ast.Return(None if value is None else self.expression(value)[0])
            case _:
                made = copy.copy(s)  # a statement may stand in several places
        return [ast.copy_location(made, s)]

    def target(
        self, target: ast.Name | ast.Attribute | ast.Subscript
    ) -> ast.Name | ast.Attribute | ast.Subscript:
        if isinstance(target, ast.Subscript):
            return ast.Subscript(target.value, self.expression(target.slice)[0], ast.Store())
        return target

    # -- expressions ------------------------------------------------------------------------------

    def expression(self, node: ast.expr, called: bool = False) -> tuple[ast.expr, Type]:
        """The lowered expression and its type. Of what is `called`, the runtime's version."""
        match node:
            case ast.Name(name):
                if name in self.program.constants and name != "rt":
                    return self.namespace.constant(name, self.program, called), Known(
                        self.program.constants[name]
                    )
                return node, self.types.get(name, ANY)
            case ast.Constant():
                value: Any = node.value
                if isinstance(value, (bool, int, float, str, type(None), complex, bytes, type(Ellipsis))):
                    return _literal(node), constant_type(value)
                return ast.Name(self.namespace.bind("default", value), ast.Load()), ANY
            case ast.BinOp(left, op, right):
                (left, a), (right, b) = self.expression(left), self.expression(right)
                result = example_type(OPERATORS[type(op)], (a, b))
                if isinstance(op, ast.Pow) and _is_two(right) and _is_float_array(a):
                    return _call("square", left), result  # as ndarray does
                if (
                    type(op) in _NAMES
                    and isinstance(a, Array) | isinstance(b, Array)
                    and _numeric(a)
                    and _numeric(b)
                ):
                    name = (
                        "matvec"
                        if isinstance(op, ast.MatMult) and (_rank(a), _rank(b)) == (2, 1)
                        else _NAMES[type(op)]
                    )
                    return _call(name, left, right), result
                return self.asked(op, ast.BinOp(left, op, right), (left, a), (right, b)), result
            case ast.UnaryOp(op, operand):
                operand, a = self.expression(operand)
                result = example_type(OPERATORS[type(op)], (a,))
                if isinstance(op, ast.USub) and isinstance(a, Array):
                    return _call("negative", operand), result
                return ast.UnaryOp(op, operand), result
            case ast.Compare(left, [op], [right]):
                (left, a), (right, b) = self.expression(left), self.expression(right)
                known = type(op) in OPERATORS
                made = self.asked(op, ast.Compare(left, [op], [right]), (left, a), (right, b))
                return made, example_type(OPERATORS[type(op)], (a, b)) if known else ANY
            case ast.IfExp(test, body, orelse):
                (body, a), (orelse, b) = self.expression(body), self.expression(orelse)
                return ast.IfExp(self.expression(test)[0], body, orelse), join(a, b)
            case ast.Call(function, args, keywords):
                return self.call(function, args, keywords)
            case ast.Attribute(value, name):
                path = ast.unparse(node)
                if path in self.program.constants:
                    value_type = self.program.constants[path]
                    return self.namespace.constant(path, self.program, called), constant_type(value_type)
                if isinstance(value, ast.Name) and value.id in ("rt", "np", "math"):
                    return self.template_name(node), ANY
                owner = self.expression(value)[0]
                if name == "__class__":
                    return _call(
                        "outside", ast.Name(self.namespace.bind("type", type), ast.Load()), owner
                    ), ANY
                return ast.Attribute(owner, name, ast.Load()), ANY
        return self.rebuilt(node), ANY

    def rebuilt(self, node: Any) -> Any:
        """Any other expression, with its parts lowered."""
        fields: dict[str, Any] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                fields[name] = [self.part(item) for item in value]
            else:
                fields[name] = self.part(value)
        return ast.copy_location(type(node)(**fields), node)

    def part(self, value: Any) -> Any:
        if isinstance(value, ast.expr):
            return self.expression(value)[0]
        if isinstance(value, ast.AST) and not isinstance(
            value, (ast.operator, ast.expr_context, ast.cmpop, ast.boolop)
        ):
            return self.rebuilt(value)
        return value

    def call(
        self, function: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]
    ) -> tuple[ast.expr, Type]:
        lowered = [self.expression(a) for a in args]
        of_keywords = [self.expression(k.value) for k in keywords]
        named = [ast.keyword(k.arg, e) for k, (e, _) in zip(keywords, of_keywords, strict=True)]
        result: Type = ANY
        made = self.expression(function, called=True)[0]
        if any(may_hold_array(t) for _, t in (*lowered, *of_keywords)) and self.is_outside(
            function, made, bool(keywords)
        ):
            return _call("outside", made, *(e for e, _ in lowered), keywords=named), result
        target = self.known(made)
        if target is not None and not named and _runs_by_example(target):
            result = example_type(target, tuple(t for _, t in lowered))
        return ast.Call(made, [e for e, _ in lowered], named), result

    def asked(
        self, op: ast.AST, made: ast.expr, left: tuple[ast.expr, Type], right: tuple[ast.expr, Type]
    ) -> ast.expr:
        """`made`, an operation on two operands, such that a user's object and `is` see NumPy arrays."""
        types = left[1], right[1]
        arrays = [may_hold_array(t) for t in types]
        if isinstance(op, ast.Is | ast.IsNot):
            if not all(arrays):
                return made
        elif type(op) not in OPERATORS or not any(arrays) or not any(isinstance(t, Instance) for t in types):
            return made
        function = self.namespace.bind(OPERATORS[type(op)].__name__, OPERATORS[type(op)])
        outside = _call("outside", ast.Name(function, ast.Load()), left[0], right[0])
        if isinstance(op, ast.Is | ast.IsNot):  # one array, or two that stand for one
            return ast.BoolOp(ast.Or() if isinstance(op, ast.Is) else ast.And(), [made, outside])
        return outside

    def is_outside(self, function: ast.expr, made: ast.expr, keywords: bool) -> bool:
        """Whether a callee is code that Myia did not compile, and that knows NumPy arrays only."""
        match made:
            case ast.Attribute(ast.Name("rt")):
                return False
            case ast.Attribute(owner, _) if isinstance(owner, ast.Name) and owner.id in self.types:
                return not isinstance(self.types[owner.id], Array)  # a method; arrays know their own
        known = self.program.constants.get(ast.unparse(function))
        if known is None:
            return isinstance(made, ast.Name) and made.id in self.types
        # With keywords there may be a function among the arguments: sorted(xs, key=norm).
        return keywords or not (isinstance(known, BuiltinFunctionType | type) and known in _KNOW_ARRAYS)

    def known(self, function: ast.expr) -> Any:
        """The function of the operator table or of `math` that a lowered callee names."""
        match function:
            case ast.Attribute(ast.Name("rt"), name):
                return rt.FACADE.get(name)
            case ast.Attribute(ast.Name("math"), name):
                return getattr(self.namespace.values.get("math"), name, None)
        return None

    def template_name(self, node: ast.Attribute) -> ast.expr:
        """A dotted name of a template: `rt.x`, `np.x` (the runtime's), `math.x`."""
        import math

        import numpy as np

        assert isinstance(node.value, ast.Name)
        match node.value.id:
            case "np":
                if node.attr in rt.FACADE:
                    return ast.Attribute(ast.Name("rt", ast.Load()), node.attr, ast.Load())
                return ast.Attribute(
                    ast.Name(self.namespace.bind("np", np), ast.Load()), node.attr, ast.Load()
                )
            case "math":
                return ast.Attribute(
                    ast.Name(self.namespace.bind("math", math), ast.Load()), node.attr, ast.Load()
                )
        return node


_KNOW_ARRAYS: frozenset[Any] = frozenset(
    {
        len, float, int, bool, abs, round, iter, list, tuple, dict, range, enumerate, zip, reversed, sorted,
        sum, min, max,
    }
)  # fmt: skip
"""Builtins that ask an array by its own methods, whatever its type."""


def _call(name: str, *arguments: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.expr:
    return ast.Call(
        ast.Attribute(ast.Name("rt", ast.Load()), name, ast.Load()), list(arguments), list(keywords)
    )


def _rank(t: Type) -> int | None:
    return t.rank if isinstance(t, Array) else None


def _is_two(exponent: ast.expr) -> bool:
    return isinstance(exponent, ast.Constant) and type(exponent.value) in (int, float) and exponent.value == 2


def _is_float_array(t: Type) -> bool:
    return isinstance(t, Array) and t.rank != 0 and t.dtype is not None and t.dtype.kind == "f"


def _numeric(t: Type) -> bool:
    return isinstance(t, Array) or is_number(t)


def _runs_by_example(function: Any) -> bool:
    """Whether the result type may be found by running the function: NumPy's and math's own only."""
    import numpy as np

    module = getattr(function, "__module__", "") or ""
    return isinstance(function, np.ufunc) or module == "math" or module.startswith("numpy")


def _literal(node: ast.Constant) -> ast.expr:
    """A literal as it can be printed: infinities and NaN have no literal of their own."""
    value: Any = node.value
    if type(value) in (int, float) and (value < 0 or str(value).startswith("-")):
        return ast.UnaryOp(ast.USub(), _literal(ast.Constant(-value)))  # so that -1 ** n gets its brackets
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return ast.Call(ast.Name("float", ast.Load()), [ast.Constant(str(value))], [])
    return node
