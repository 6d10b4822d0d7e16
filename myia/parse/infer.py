"""Abstract interpretation: the type of every variable, the meaning of every operation.

Variables are webs (`analysis/webs.py`), so one type a name is precise enough; the types are joined
over all assignments until nothing changes. Loops need two or three rounds.

The result type of a library function is found by example: it is run on arrays of ones of shape
(1, ..., 1) with the operands' dtypes and ranks. NumPy itself is then the oracle for its own promotion
rules. Only functions with a rule or in the table of inactive functions are run, never the user's.
"""

from __future__ import annotations

import ast
import inspect
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FunctionType, MethodDescriptorType, MethodType
from typing import Any

import numpy as np

import myia.runtime as rt
from myia.adjoint.template import INACTIVE, RULES, SCALAR_RULES, Rule
from myia.analysis.alias import AliasAnalysis, changed_containers
from myia.analysis.webs import split_webs
from myia.errors import MyiaError
from myia.parse.binding import as_expression, bind_call, binds, is_default, named_arguments
from myia.parse.decide import class_of, is_foreign, is_instance, is_same, negated, reached
from myia.parse.examples import NO_SAMPLE, example_type
from myia.parse.mutating import METHODS_OF, UPDATES, writes
from myia.parse.normalize import normalize
from myia.parse.objects import fields_given, how_made
from myia.parse.program import (
    Program,
)
from myia.parse.scope import static_attribute
from myia.parse.settle import settled, writes_in_place
from myia.parse.typed import CLOSURE, Operation, Typed
from myia.parse.types import (
    ANY,
    BOOL,
    BOTTOM,
    INT,
    NONE,
    STR,
    UNKNOWN,
    AnyType,
    Array,
    Bottom,
    Dict,
    Instance,
    Known,
    List,
    Nested,
    NumpyScalar,
    Scalar,
    Tuple,
    Type,
    forget_value,
    is_immutable,
    is_number,
    is_opaque,
    is_scalar,
    join,
    join_all,
    shallow,
    type_of,
    without_contents,
)

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.MatMult: operator.matmul, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip

_ROUNDS = 12


@dataclass
class Inference:
    """Types programs for one compilation; each program once for each tuple of argument types."""

    programs: dict[Any, Program] = field(default_factory=dict)
    typed: dict[tuple[Program, tuple[Type, ...]], Typed] = field(default_factory=dict)
    methods: dict[tuple[type, str], Any] = field(default_factory=dict)
    """What the methods of the user's classes were when they were looked up."""
    _running: dict[tuple[Program, tuple[Type, ...]], bool] = field(default_factory=dict)

    def program_of(self, function: FunctionType) -> Program:
        if function not in self.programs:
            self.programs[function] = split_webs(normalize(function))
        return self.programs[function]

    def nested_program(self, program: Program) -> Program:
        if program not in self.programs:
            self.programs[program] = split_webs(program)
        return self.programs[program]

    def operand_type(self, typed: Typed, expression: ast.expr) -> Type:
        """The type of an atom or of a tuple or dictionary of atoms in a typed program."""
        return _Pass(self, typed).operand_type(expression)

    def capture_type(self, typed: Typed, name: str) -> Type:
        """The type of a variable as a nested function that captures it sees it."""
        return _Pass(self, typed).capture_type(name)

    def infer(self, program: Program, arguments: tuple[Type, ...]) -> Typed:
        arguments = tuple(map(forget_value, arguments))
        key = (program, arguments)
        found = self.typed.get(key)
        if found is not None:
            if key in self._running:
                self._running[key] = True  # a recursive call reads an estimate
            return found
        if sum(1 for running, _ in self._running if running is program) > 8:
            # Types grow at each level of a recursion: forget them.
            arguments = tuple(a if isinstance(a, (Known, Nested)) else ANY for a in arguments)
            key = (program, arguments)
            if key in self.typed:
                if key in self._running:
                    self._running[key] = True
                return self.typed[key]
        typed = self.typed[key] = Typed(program, arguments, {}, BOTTOM)
        self._running[key] = False
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for attempt in range(_ROUNDS):
                before = typed.result
                _Pass(self, typed).run()
                if attempt >= _ROUNDS - 2:
                    typed.result = ANY
                if self.forget_contents(typed):
                    continue
                if typed.result == before or not self._running[key]:
                    break
        del self._running[key]
        typed.program = replace(program, body=settled(typed, writes_in_place))
        return typed

    def forget_contents(self, typed: Typed) -> bool:
        """Forget what types said of containers that change under other names; whether there were any."""
        if not writes_in_place(typed):
            return False
        found = frozenset(changed_containers(AliasAnalysis().of(typed))) - typed.unsure
        typed.unsure |= found
        return bool(found)


@dataclass
class _Pass:
    """One fixed point over the body of a program."""

    inference: Inference
    typed: Typed

    def run(self) -> None:
        program, types = self.typed.program, self.typed.types
        for name, t in zip(program.arguments, self.typed.arguments, strict=True):
            self.bind(name, t, widen=False)
        for name in self.typed.unsure:
            types[name] = without_contents(types[name])
        for name, origin in program.inputs.items():
            types[name] = forget_value(type_of(origin.load()))
        for name, value in program.constants.items():
            own = type_of(value)
            types[name] = own if isinstance(own, Instance) else Known(value)
        for name, nested in program.nested.items():
            if name in program.captures:
                types[name] = Nested(self.inference.nested_program(nested), ())
        for attempt in range(_ROUNDS):
            changed = False
            for statement in reached(program.body, self.typed.type_of):
                changed |= self.statement(statement, widen=attempt > 5)
            if not changed:
                break
        self.typed.result = types.get(program.result, BOTTOM)

    def statement(self, statement: ast.stmt, widen: bool) -> bool:
        match statement:
            case ast.Assign([ast.Name(name)], value):
                operation = self.operation(value)
                self.typed.operations[statement] = operation
                return self.bind(name, operation.type, widen) | self.written(operation, widen)
            case ast.For(ast.Name(name)):
                return self.bind(name, INT, widen)
            case ast.FunctionDef(name):
                program = self.inference.nested_program(self.typed.program.nested[name])
                captures = tuple(map(self.capture_type, program.captures))
                return self.bind(name, Nested(program, captures), widen)
            case ast.Expr(value):
                self.typed.operations[statement] = self.operation(value)
                return self.written(self.typed.operations[statement], widen)
            case ast.Assign([ast.Subscript(owner, index)], value):
                return self.store(statement, owner, index, value, widen)
            case ast.AugAssign(ast.Subscript(owner, index), op, value):
                return self.update_item(statement, OPERATORS[type(op)], owner, index, value, widen)
            case ast.Assign([ast.Attribute(owner, name)], value):
                operation = Operation("mutator", NONE, ("setattr", name), operands={"x": owner, "y": value})
                self.typed.operations[statement] = operation
        return False

    def bind(self, name: str, new: Type, widen: bool) -> bool:
        old = self.typed.types.get(name, BOTTOM)
        joined = join(old, new)
        if isinstance(old, Nested) and isinstance(new, Nested) and old.program is new.program:
            joined = Nested(old.program, tuple(map(join, old.captures, new.captures)))
        if name in self.typed.unsure:
            joined = without_contents(joined)
        if joined == old:
            return False
        self.typed.types[name] = ANY if widen else joined
        return self.typed.types[name] != old

    # -- writing in place -------------------------------------------------------------------------

    def store(
        self, statement: ast.stmt, owner: ast.expr, index: ast.expr, value: ast.expr, widen: bool
    ) -> bool:
        """`owner[index] = value`."""
        operands = {"x": owner, "i": index, "y": value}
        t = self.atom_type(owner)
        if isinstance(t, Array) and t.rank is not None and not is_opaque(t):
            operation = Operation("store", self.item_type(t, index), operands=operands)
        else:
            operation = Operation("mutator", NONE, ("setitem",), operands=operands)
        self.typed.operations[statement] = operation
        return self.holds(owner, self.with_item(t, index, self.atom_type(value)), widen)

    def update_item(
        self,
        statement: ast.stmt,
        function: Callable[..., Any],
        owner: ast.expr,
        index: ast.expr,
        value: ast.expr,
        widen: bool,
    ) -> bool:
        """`owner[index] operator= value`."""
        operands = {"x": owner, "i": index, "y": value}
        t = self.atom_type(owner)
        if isinstance(t, Array) and t.rank is not None and not is_opaque(t):
            item = self.item_type(t, index)
            scalars = is_scalar(item) and is_scalar(self.atom_type(value))
            rule = (SCALAR_RULES.get(function) if scalars else None) or RULES.get(function)
            made = Operation("update", item, function, rule, operands)
        else:
            made = Operation("mutator", NONE, ("update_item", function.__name__), operands=operands)
        self.typed.operations[statement] = made
        item = example_type(function, (self.item_type(t, index), self.atom_type(value)))
        return self.holds(owner, self.with_item(t, index, item), widen)

    def updated(self, function: Any, x: ast.expr, y: ast.expr) -> Operation:
        """`x operator= y`: a new number, or the array it wrote into."""
        plain, t = UPDATES[function], self.atom_type(x)
        if isinstance(t, Bottom):
            return Operation("inactive", BOTTOM)
        if is_immutable(t):
            return self.apply(plain, [x, y], {})
        operands = {"x": x, "y": y}
        if isinstance(t, Array) and t.rank is not None:
            return Operation("update", t, plain, RULES.get(plain), operands)
        if is_foreign(t):
            return Operation(
                "opaque", ANY, function, why="an operator of a class of its own has no derivative rule"
            )
        result: Type = ANY
        if isinstance(t, List) and plain is operator.add:
            result = join(t, self.listed(self.atom_type(y)))
        return Operation("mutator", result, ("update", plain.__name__), operands=operands)

    def mutator(
        self,
        function: tuple[Any, ...],
        result: Type,
        arguments: list[ast.expr],
        keywords: dict[str, ast.expr],
    ) -> Operation:
        operands = {str(k): argument for k, argument in enumerate(arguments)} | keywords
        return Operation("mutator", result, function, operands=operands)

    def written(self, operation: Operation, widen: bool) -> bool:
        """What a mutator puts into a container whose type is known."""
        if operation.kind != "mutator" or operation.function[0] not in ("method", "function"):
            return False
        owner, *rest = operation.operands.values()
        t, types = self.atom_type(owner), [self.operand_type(e) for e in rest]
        if operation.function[0] == "function":  # such as heapq.heappush
            return isinstance(t, List) and self.holds(owner, List(ANY), widen)
        match t, operation.function[1]:
            case List(), "append" if len(types) == 1:
                return self.holds(owner, List(forget_value(types[0])), widen)
            case List(), "insert" if len(types) == 2:
                return self.holds(owner, List(forget_value(types[1])), widen)
            case List(), "extend" if len(types) == 1:
                return self.holds(owner, self.listed(types[0]), widen)
            case Dict(), "setdefault" if len(types) == 2:
                return self.holds(owner, Dict(None, (forget_value(types[1]),)), widen)
            case (List(), "__setitem__") | (Dict(), "update" | "__setitem__" | "setdefault"):
                return self.holds(owner, List(ANY) if isinstance(t, List) else Dict(None, (ANY,)), widen)
            case Dict(keys), _ if keys is not None:
                return self.holds(owner, Dict(None, t.values or (BOTTOM,)), widen)
        return False

    def with_item(self, t: Type, index: ast.expr, item: Type) -> Type:
        """The type of a container with something of type `item` stored in it."""
        item = forget_value(item)
        match t:
            case List():
                return self.listed(item) if isinstance(index, ast.Slice) else List(item)
            case Dict(keys, values):
                key = self.atom_type(index)
                value = key.value if isinstance(key, Scalar) else UNKNOWN
                if keys is not None and value is not UNKNOWN and value in keys:
                    position = keys.index(value)
                    return Dict(keys, tuple(item if k == position else v for k, v in enumerate(values)))
                return Dict(None, (join_all((*values, item)),))
        return t

    def holds(self, owner: ast.expr, t: Type, widen: bool) -> bool:
        return isinstance(owner, ast.Name) and self.bind(owner.id, shallow(t), widen)

    # -- operations -------------------------------------------------------------------------------

    def atom_type(self, atom: ast.expr) -> Type:
        if isinstance(atom, ast.Name):
            return self.typed.types.get(atom.id, BOTTOM)  # not reached yet
        return self.typed.type_of(atom)

    def operation(self, node: ast.expr) -> Operation:
        match node:
            case ast.Name() | ast.Constant():
                return Operation("alias", self.atom_type(node), operands={"x": node})
            case ast.BinOp(left, op, right):
                return self.apply(OPERATORS[type(op)], [left, right], {})
            case ast.UnaryOp(ast.Not(), operand):
                return Operation("inactive", negated(self.atom_type(operand)))
            case ast.UnaryOp(op, operand):
                return self.apply(OPERATORS[type(op)], [operand], {})
            case ast.Compare(left, [op], [right]):
                if isinstance(op, (ast.Is, ast.IsNot)):
                    same = is_same(self.atom_type(left), self.atom_type(right))
                    return Operation("inactive", negated(same) if isinstance(op, ast.IsNot) else same)
                if isinstance(op, (ast.In, ast.NotIn)):
                    return Operation("inactive", BOOL)
                return Operation("inactive", self.by_example(OPERATORS[type(op)], [left, right], {}))
            case ast.Tuple(elements):
                return Operation("tuple", shallow(Tuple(tuple(self.atom_type(e) for e in elements))))
            case ast.List(elements):
                item: Type = BOTTOM
                for element in elements:
                    item = join(item, forget_value(self.atom_type(element)))
                return Operation("list", shallow(List(item)))
            case ast.Dict(keys, values):
                return Operation("dict", shallow(self.dictionary(keys, values)))
            case ast.Set():
                return Operation("opaque", ANY, set, why="a set of values that the gradient depends on")
            case ast.JoinedStr():
                return Operation("inactive", STR)
            case ast.Subscript(value, index):
                return self.apply(operator.getitem, [value, index], {})
            case ast.Attribute(value, name):
                return self.attribute(node, value, name)
            case ast.Call():
                return self.call(node)
        raise AssertionError(f"not in normal form: {ast.dump(node)}")

    def dictionary(self, keys: list[ast.expr | None], values: list[ast.expr]) -> Type:
        types = tuple(forget_value(self.atom_type(value)) for value in values)
        names = [key.value if isinstance(key, ast.Constant) else UNKNOWN for key in keys]
        if UNKNOWN in names or len(set(names)) < len(names):
            return Dict(None, (join_all(types),))
        return Dict(tuple(names), types)

    def attribute(self, node: ast.Attribute, value: ast.expr, name: str) -> Operation:
        path = ast.unparse(node)
        if path in self.typed.program.constants:
            return Operation("inactive", type_of(self.typed.program.constants[path]))
        owner = self.atom_type(value)
        if isinstance(owner, Tuple) and name in owner.names:
            return self.apply(operator.getitem, [value, ast.Constant(owner.names.index(name))], {})
        if isinstance(owner, Instance):
            found = static_attribute(owner.cls, name)
            if isinstance(found, property):
                return Operation("dynamic", ANY, ("attribute", name), operands={"owner": value})
            return Operation("inactive", ANY)
        key = ("attribute", name)
        if key in RULES:
            return self.by_rule(key, RULES[key], [value], {}, operator.attrgetter(name))
        if key in INACTIVE:
            if name == "shape" and isinstance(owner, Array) and owner.rank is not None:
                return Operation("inactive", Tuple((INT,) * owner.rank))
            if name == "dtype" and isinstance(owner, (Array, NumpyScalar)) and owner.dtype is not None:
                return Operation("inactive", Known(owner.dtype))
            return Operation(
                "inactive", self.inactive_result(INACTIVE[key], operator.attrgetter(name), [value], {})
            )
        cls = class_of(owner)
        if cls is not None and not hasattr(cls, name):
            return Operation("inactive", ANY)  # Python will say so, if it gets there
        return Operation(
            "opaque", ANY, key, operands={"x": value}, why=f"the attribute .{name} has no derivative rule"
        )

    def call(self, node: ast.Call) -> Operation:
        arguments = list(node.args)
        keywords = {k.arg: k.value for k in node.keywords if not is_default(k)}
        starred = any(isinstance(a, ast.Starred) for a in arguments) or None in keywords
        match node.func:
            case ast.Attribute(value, name) if ast.unparse(node.func) not in self.typed.program.constants:
                return self.method(node, value, name, starred)
        function = self.callee(node.func)
        if isinstance(function, Nested):
            if starred:
                return Operation("opaque", ANY, why="a nested function is called with starred arguments")
            direct = (
                isinstance(node.func, ast.Name) and self.typed.program.nested.get(node.func.id) is not None
            )
            closure = None if direct else node.func
            captures = (
                tuple(map(self.capture_type, function.program.captures)) if direct else function.captures
            )
            return self.user(function.program, arguments, named_arguments(keywords), closure, captures)
        if isinstance(function, Instance):
            return Operation("dynamic", ANY, inspect.getattr_static(function.cls, "__call__", None))
        if not isinstance(function, Known):
            return Operation("dynamic", ANY)
        if starred:
            return self.known_starred(function.value)
        operation = self.known(function.value, arguments, named_arguments(keywords))
        if (
            operation.kind == "opaque"
            and operation.why == f"{name_of(function.value)} has no derivative rule"
        ):
            return replace(operation, why=f"{ast.unparse(node.func)} has no derivative rule")
        return operation

    def callee(self, node: ast.expr) -> Type:
        path = ast.unparse(node)
        if path in self.typed.program.constants:
            return Known(self.typed.program.constants[path])
        return self.atom_type(node)

    def known_starred(self, function: Any) -> Operation:
        if function in INACTIVE:
            return Operation("inactive", ANY)
        return Operation("dynamic", ANY)

    def known(self, function: Any, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> Operation:
        """A call of a function known by identity, without starred arguments."""
        if is_hashable(function) and function in UPDATES and len(arguments) == 2 and not keywords:
            return self.updated(function, *arguments)
        if writes(function):
            owner = getattr(function, "__objclass__", None)
            if owner is not None:
                return self.mutator(("method", function.__name__), ANY, arguments, keywords)
            return self.mutator(("function", function), ANY, arguments, keywords)
        if function is rt.sequence and isinstance(self.atom_type(arguments[0]), (Array, List, Tuple)):
            if self.atom_type(arguments[0]) not in (Array(None, 0), Array(None, None)):
                return Operation("alias", self.atom_type(arguments[0]), operands={"x": arguments[0]})
        if type(function).__module__ == "myia.api":
            why = "a gradient inside a differentiated function is a second derivative, not supported yet"
            return Operation("opaque", ANY, function, why=why)
        if function is sum and len(arguments) > 1 and isinstance(self.atom_type(arguments[1]), (List, Tuple)):
            return Operation("opaque", ANY, function, why="sum() of lists has no derivative rule")
        if function is isinstance and len(arguments) == 2:
            return Operation("inactive", is_instance(*map(self.atom_type, arguments)), function)
        if is_hashable(function):
            if function in RULES or function in SCALAR_RULES:
                return self.apply(function, arguments, keywords)
            if function in INACTIVE:
                result = self.inactive_result(INACTIVE[function], function, arguments, keywords)
                return Operation("inactive", result, function)
        if isinstance(function, type) and issubclass(function, tuple) and hasattr(function, "_fields"):
            return self.named_tuple(function, arguments, keywords)
        if isinstance(function, MethodType) and isinstance(function.__func__, FunctionType):
            return Operation("dynamic", ANY)
        if isinstance(function, FunctionType):
            return self.user_function(function, arguments, keywords)
        if not isinstance(function, type) and isinstance(
            inspect.getattr_static(type(function), "__call__", None), FunctionType
        ):
            return Operation("dynamic", ANY, inspect.getattr_static(type(function), "__call__"))
        if (
            isinstance(function, type)
            and (made := self.constructed(function, arguments, keywords)) is not None
        ):
            return made
        return Operation("opaque", ANY, function, why=f"{name_of(function)} has no derivative rule")

    def constructed(
        self, cls: type, arguments: list[ast.expr], keywords: dict[str, ast.expr]
    ) -> Operation | None:
        """A new object of a class of the user's; None if what makes it is not seen through.

        `settle.py` writes it as a new object and what initialises it.
        """
        kind = how_made(cls)
        if kind is None:
            return None
        self.inference.methods[cls, "__init__"] = cls.__init__  # type: ignore[misc]
        if kind == "bare":
            return None if arguments or keywords else Operation("object", Instance(cls), cls)
        if kind == "fields":
            operands = fields_given(cls, arguments, keywords)
            return None if operands is None else Operation("object", Instance(cls), cls, operands=operands)
        try:
            program = self.inference.program_of(cls.__init__)  # type: ignore[misc]
        except MyiaError:
            return None
        bound = bind_call(program, [ast.Constant(None), *arguments], keywords)
        if isinstance(bound, str):
            return None
        types = [self.operand_type(expression) for expression in bound.values()]
        typed = self.inference.infer(program, (Instance(cls), *types[1:]))
        return Operation("object", Instance(cls), cls, None, bound, program, typed)

    def named_tuple(self, cls: type, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> Operation:
        fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
        operands = dict(zip(fields, arguments, strict=False)) | keywords
        if len(arguments) > len(fields) or set(operands) != set(fields):
            return Operation("opaque", ANY, cls, why=f"{cls.__qualname__} is built without all of its fields")
        items = tuple(forget_value(self.atom_type(operands[name])) for name in fields)
        return Operation(
            "tuple", Tuple(items, fields), cls, operands={name: operands[name] for name in fields}
        )

    def user_function(
        self, function: FunctionType, arguments: list[ast.expr], keywords: dict[str, ast.expr]
    ) -> Operation:
        try:
            program = self.inference.program_of(function)
        except MyiaError as error:
            return Operation("opaque", ANY, function, why=str(error), error=error)
        return self.user(program, arguments, keywords)

    def user(
        self,
        program: Program,
        arguments: list[ast.expr],
        keywords: dict[str, ast.expr],
        closure: ast.expr | None = None,
        captures: tuple[Type, ...] = (),
    ) -> Operation:
        """A call of a program: bind its parameters, type it with these types."""
        bound = bind_call(program, arguments, keywords)
        if isinstance(bound, str):
            return Operation("inactive", ANY, program.function)  # Python raises when it gets there
        types = (*captures, *(self.operand_type(e) for e in bound.values()))
        typed = self.inference.infer(program, types)
        if program.captures:
            # Called where it was defined, its captures are the variables as they are now, as Python
            # has it; called elsewhere, they come with the function.
            own = {name: ast.Name(name, ast.Load()) for name in program.captures}
            bound = {**own, **bound} if closure is None else {CLOSURE: closure, **bound}
        return Operation(
            "user", typed.result, program.function, operands=bound, program=program, callee=typed
        )

    def capture_type(self, name: str) -> Type:
        """The type a nested function sees; of another nested function, only which it is."""
        if name in self.typed.program.nested:
            return Nested(self.inference.nested_program(self.typed.program.nested[name]), ())
        return forget_value(self.typed.types.get(name, BOTTOM))

    def operand_type(self, node: ast.expr) -> Type:
        """The type of an atom, or of a tuple or dictionary of atoms made for `*args` and `**kwargs`."""
        match node:
            case ast.Tuple(elements):
                return Tuple(tuple(forget_value(self.operand_type(e)) for e in elements))
            case ast.Dict(keys, values):
                return self.dictionary(keys, values)
            case ast.Attribute() if (path := ast.unparse(node)) in self.typed.program.constants:
                return type_of(self.typed.program.constants[path])
        return self.atom_type(node)

    def method(self, node: ast.Call, value: ast.expr, name: str, starred: bool) -> Operation:
        from myia.adjoint.rules.methods import METHODS

        owner = self.atom_type(value)
        keywords = {k.arg: k.value for k in node.keywords if not is_default(k)}
        if not starred and self.is_mutating(owner, name):
            arguments = [value, *node.args]
            return self.mutator(
                ("method", name), self.taken(owner, name), arguments, named_arguments(keywords)
            )
        match owner:
            case Known(np.ufunc() as ufunc) if name == "at" and not starred:
                return self.mutator(("function", ufunc.at), NONE, list(node.args), named_arguments(keywords))
            case NumpyScalar(dtype) if name == "item" and not node.args:
                return self.known(float, [value], {}) if dtype.kind == "f" else Operation("inactive", ANY)
            case Array() | NumpyScalar() if name in METHODS and not starred:
                return self.known(METHODS[name], [value, *node.args], named_arguments(keywords))
            case Instance(cls, False):
                found = inspect.getattr_static(cls, name, None)
                if isinstance(found, (FunctionType, staticmethod)) and not starred:
                    function = getattr(cls, name)
                    self.inference.methods[cls, name] = function
                    receiver = [] if isinstance(found, staticmethod) else [value]
                    if isinstance(function, FunctionType):
                        return self.user_function(
                            function, [*receiver, *node.args], named_arguments(keywords)
                        )
                return Operation("dynamic", ANY, ("method", name))
            case Bottom():
                return Operation("dynamic", BOTTOM, ("method", name))
            case Array() | NumpyScalar() if not starred:
                return Operation(
                    "opaque", ANY, ("method", name), why=f"the method .{name} has no derivative rule"
                )
            case List() | Dict() if name == "copy" and not starred and not node.args and not keywords:
                return self.known(list if isinstance(owner, List) else dict, [value], {})
            case List() | Dict() | Tuple() | Scalar():
                key = ("method", name)
                if key in RULES and not starred:
                    return self.apply(key, [value, *node.args], named_arguments(keywords))
                if key in INACTIVE:
                    return Operation("inactive", ANY, key)
                known = class_of(owner)
                if known is not None and hasattr(known, name):
                    return Operation("opaque", ANY, key, why=f"the method .{name} has no derivative rule")
        return Operation("dynamic", ANY, ("method", name))

    def is_mutating(self, owner: Type, name: str) -> bool:
        """Whether a method writes into its receiver, as far as the type tells."""
        match owner:
            case List():
                return name in METHODS_OF["list"]
            case Dict():
                return name in METHODS_OF["dict"]
            case Array():
                return name in METHODS_OF["array"]
            case Instance(cls):
                found = inspect.getattr_static(cls, name, None)
                return name in METHODS_OF["any"] and isinstance(found, MethodDescriptorType)
        return isinstance(owner, AnyType) and name in METHODS_OF["any"]

    def taken(self, owner: Type, name: str) -> Type:
        """The type of what a mutating method gives back."""
        match owner:
            case List(item) if name == "pop":
                return item
            case Dict() if name in ("pop", "setdefault"):
                return ANY
            case List() | Array() if name != "pop":
                return NONE
        return ANY

    # -- rules ------------------------------------------------------------------------------------

    def apply(self, function: Any, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> Operation:
        """An operation with a rule, or an operator without one."""
        types = [self.operand_type(a) for a in arguments]
        rule = None
        if all(map(is_scalar, types)) and not keywords:
            rule = SCALAR_RULES.get(function)
        if rule is None and not keywords:
            ranks = tuple(t.rank if isinstance(t, Array) else None for t in types)
            rule = RULES.get((function, *ranks))
            if rule is None and function is operator.matmul:
                rule = RULES.get((np.matmul, *ranks))
        if function in (operator.add, operator.mul) and not any(
            isinstance(t, (Array, NumpyScalar)) for t in types
        ):
            if any(isinstance(t, (List, Tuple)) for t in types):
                rule = RULES[("sequences", function)]
            elif ANY in types and (function is operator.mul or not any(is_number(t) for t in types)):
                rule = RULES[("anything", function)]
        if function is operator.or_ and any(isinstance(t, Dict) for t in types):
            rule = RULES[("tables", function)]
        elif function in (operator.or_, operator.and_, operator.xor) and ANY in types:
            return Operation(
                "opaque", ANY, function, why=f"{name_of(function)} of unknown objects has no derivative rule"
            )
        asked = types[:1] if function is operator.getitem else types  # an index may be anything
        if any(map(is_foreign, asked)) and getattr(function, "__module__", "") == "_operator":
            why = "an operator of a class of its own has no derivative rule"
            return Operation("opaque", ANY, function, why=why)
        if rule is None or not binds(rule, arguments, keywords):
            rule = RULES.get(function) or SCALAR_RULES.get(function)
        if rule is None:
            result = self.by_example(function, arguments, keywords)
            if function in INACTIVE:
                return Operation("inactive", result, function)
            return Operation("opaque", result, function, why=f"{name_of(function)} has no derivative rule")
        return self.by_rule(function, rule, arguments, keywords, function)

    def by_rule(
        self,
        function: Any,
        rule: Rule,
        arguments: list[ast.expr],
        keywords: dict[str, ast.expr],
        run: Callable[..., Any],
    ) -> Operation:
        result = self.rule_result(rule, function, run, arguments, keywords)
        try:
            bound = rule.signature.bind(*arguments, **keywords)
        except TypeError as error:
            why = f"{name_of(function)} with these arguments has no derivative rule ({error})"
            return Operation("opaque", result, function, why=why)
        bound.apply_defaults()
        operands = {name: as_expression(value) for name, value in bound.arguments.items()}
        for expression in operands.values():
            t = self.operand_type(expression)
            if isinstance(t, Instance) and issubclass(t.cls, np.ndarray):
                why = f"{name_of(function)} of a {t.cls.__name__} has no derivative rule"
                return Operation("opaque", ANY, function, why=why)
        return Operation("rule", result, function, rule, operands)

    def rule_result(
        self,
        rule: Rule,
        function: Any,
        run: Callable[..., Any],
        arguments: list[ast.expr],
        keywords: dict[str, ast.expr],
    ) -> Type:
        if function is operator.getitem:
            return self.item_type(self.atom_type(arguments[0]), arguments[1])
        if function in (np.reshape, np.ndarray.reshape) and arguments:
            return self.reshaped(arguments, keywords)
        if isinstance(function, tuple) and rule.result == "example":
            return (
                ANY
                if not isinstance(function[0], str) or function[0] != "attribute"
                else self.by_example(run, arguments, {})
            )
        return self.inactive_result(rule.result, run, arguments, keywords)

    def inactive_result(
        self, result: str, function: Any, arguments: list[ast.expr], keywords: dict[str, ast.expr]
    ) -> Type:
        match result:
            case "example":
                return self.by_example(function, arguments, keywords)
            case "unranked":
                return self.unranked(self.by_example(function, arguments, keywords))
            case "same":
                return forget_value(self.operand_type(arguments[0]))
            case "values":
                owner = self.atom_type(arguments[0])
                return List(join_all(owner.values)) if isinstance(owner, Dict) else ANY
            case "listed":
                return self.listed(self.atom_type(arguments[0]))
            case "appended":
                items = self.atom_type(arguments[0])
                return (
                    join(items, List(forget_value(self.atom_type(arguments[1]))))
                    if isinstance(items, List)
                    else items
                )
            case "float" | "int" | "bool" | "str":
                return Scalar(result)
        return ANY

    def listed(self, t: Type) -> Type:
        """The type of the list of a sequence's elements."""
        match t:
            case List():
                return t
            case Tuple(items):
                return List(join_all(tuple(map(forget_value, items))))
            case Array(dtype, int(rank)) if dtype is not None and rank:
                return List(NumpyScalar(dtype) if rank == 1 else Array(dtype, rank - 1))
        return List(ANY)

    def reshaped(self, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> Type:
        """The type of `reshape(x, shape)` or `reshape(x, *shape)`, whose sizes are not known."""
        array = self.atom_type(arguments[0])
        sizes = [self.operand_type(a) for a in arguments[1:]] or [
            self.operand_type(keywords[name]) for name in ("shape", "newshape") if name in keywords
        ]
        rank = None
        if len(sizes) == 1 and isinstance(sizes[0], Tuple):
            rank = len(sizes[0].items)
        elif sizes and all(map(is_number, sizes)):
            rank = len(sizes)
        return Array(array.dtype if isinstance(array, (Array, NumpyScalar)) else None, rank)

    def unranked(self, t: Type) -> Type:
        match t:
            case Array(dtype) | NumpyScalar(dtype):
                return Array(dtype, None)
            case List(item):
                return List(self.unranked(item))
        return ANY

    def by_example(self, function: Any, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> Type:
        types = tuple(map(self.operand_type, arguments))
        return example_type(function, types, tuple((k, self.operand_type(v)) for k, v in keywords.items()))

    def item_type(self, owner: Type, index: ast.expr) -> Type:
        """The type of `owner[index]`."""
        match owner:
            case Array(dtype, rank):
                if rank is None:
                    return Array(dtype, None)
                parts = index.elts if isinstance(index, ast.Tuple) else [index]
                picks = [self.index_sample(part) for part in parts]
                if any(pick is NO_SAMPLE for pick in picks) or dtype is None:
                    return Array(dtype, None)
                try:
                    found = type_of(np.ones((1,) * rank, dtype)[tuple(picks)])
                except IndexError:
                    return ANY
                # An element of an array of objects may be anything.
                return found if isinstance(found, Array) or dtype.kind in "fiubcmMSU" else ANY
            case Tuple(items):
                match index:
                    case ast.Slice(lower, upper, step):
                        bounds = [None if p is None else self.atom_type(p) for p in (lower, upper, step)]
                        limits: list[Any] = [
                            None if b is None else b.value if isinstance(b, Scalar) else UNKNOWN
                            for b in bounds
                        ]
                        if UNKNOWN not in limits:
                            return Tuple(items[slice(*limits)])
                        return ANY
                    case _:
                        position = self.atom_type(index)
                        value = position.value if isinstance(position, Scalar) else UNKNOWN
                        if isinstance(value, int) and -len(items) <= value < len(items):
                            return items[value]
                        return join_all(items)
            case List(item):
                return owner if isinstance(index, ast.Slice) else item
            case Dict(keys, values):
                position = self.atom_type(index)
                key = position.value if isinstance(position, Scalar) else UNKNOWN
                if keys is not None and key is not UNKNOWN and key in keys:
                    return values[keys.index(key)]
                return join_all(values)
            case Scalar("str"):
                return STR
            case Bottom():
                return BOTTOM
            case Known(value) if isinstance(value, range):
                return INT
            case Instance(cls) if cls is range:
                return INT
        return ANY

    def index_sample(self, part: ast.expr) -> Any:
        if isinstance(part, ast.Slice):
            return slice(None)
        match self.atom_type(part):
            case Scalar("int"):
                return 0
            case Scalar("none"):
                return None
            case NumpyScalar(dtype) if dtype.kind in "iu":
                return 0
            case Array(dtype, int(rank)) if dtype is not None and dtype.kind in "iu":
                return np.zeros((1,) * rank, dtype)
            case Array(dtype, int(rank)) if dtype is not None and dtype.kind == "b":
                return np.ones((1,) * rank, dtype)
        if isinstance(part, ast.Constant) and part.value is Ellipsis:
            return Ellipsis
        return NO_SAMPLE


def is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def name_of(function: Any) -> str:
    """A function as people write it."""
    if isinstance(function, tuple):
        return f".{function[-1]}" if isinstance(function[0], str) else name_of(function[0])
    if isinstance(function, np.ufunc):
        return f"np.{function.__name__}"
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None) or repr(function)
    if module.startswith("numpy"):
        return "np." + ("linalg." if "linalg" in module and name in dir(np.linalg) else "") + name
    if module in ("builtins", "_operator", ""):
        return name
    return f"{module}.{name}"
