"""The one table of supported syntax. What is not in it is refused.

`SUPPORTED` names the node types that `normalize.py` rewrites to the normal form. `REFUSED` says, for
the constructs people are likely to try, why not and what to do instead; any other node type is
refused without advice.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    summary: str
    reason: str
    remedy: str


SUPPORTED: frozenset[type[ast.AST]] = frozenset(
    {
        # statements
        ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.If, ast.For, ast.While,
        ast.Break, ast.Continue, ast.Pass, ast.Assert, ast.Raise, ast.FunctionDef, ast.With,
        # expressions
        ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Attribute,
        ast.Subscript, ast.Slice, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set,
        ast.Starred, ast.NamedExpr, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
        ast.JoinedStr, ast.FormattedValue,
    }
)  # fmt: skip

_VALUES_ON_DEMAND = "its values are produced on demand, and the reverse sweep needs them again"
_NOT_ONE_SWEEP = "the reverse sweep cannot run a suspended function backwards"

REFUSED: dict[type[ast.AST], Advice] = {
    ast.GeneratorExp: Advice(
        "a generator cannot be reversed", _VALUES_ON_DEMAND, "use a list, [... for ... in ...], or a loop"
    ),
    ast.Yield: Advice("a generator cannot be reversed", _VALUES_ON_DEMAND, "build and return a list"),
    ast.YieldFrom: Advice("a generator cannot be reversed", _VALUES_ON_DEMAND, "build and return a list"),
    ast.Await: Advice("await cannot be reversed", _NOT_ONE_SWEEP, "call the plain function"),
    ast.AsyncFunctionDef: Advice("an async function cannot be reversed", _NOT_ONE_SWEEP, "use a plain def"),
    ast.AsyncFor: Advice("async for cannot be reversed", _NOT_ONE_SWEEP, "use a plain for"),
    ast.AsyncWith: Advice("async with cannot be reversed", _NOT_ONE_SWEEP, "use plain statements"),
    ast.Global: Advice(
        "a global is written",
        "a gradient runs the function once and must leave no trace but its result",
        "return the value, or pass it in as an argument",
    ),
    ast.Nonlocal: Advice(
        "a variable of the enclosing function is written",
        "the adjoint of a variable shared between functions is not tracked",
        "return the value and assign it in the enclosing function",
    ),
    ast.Try: Advice(
        "try is not supported",
        "where the exception leaves the block would have to be recorded",
        "test the condition with if, or move the try into a helper that takes no active value",
    ),
    ast.Delete: Advice(
        "del is not supported",
        "the reverse sweep may still need the value",
        "leave the line out, what no backprop reads is not kept; an item of a list goes by items.pop(k)",
    ),
    ast.ClassDef: Advice(
        "a class is defined inside a differentiated function",
        "a class made at run time has no derivative",
        "define the class outside the function",
    ),
    ast.Import: Advice(
        "import inside a differentiated function", "it has a side effect", "import at the top of the module"
    ),
    ast.ImportFrom: Advice(
        "import inside a differentiated function", "it has a side effect", "import at the top of the module"
    ),
    ast.Match: Advice("match is not supported", "patterns are not in the normal form", "use if and elif"),
}
WITH = Advice(
    "with is not supported",
    "a context manager would have to be entered again in the reverse sweep",
    "move the with statement around the call of the gradient",
)
"""Of a `with` that is no checkpoint."""

LEAVES = Advice(
    "a checkpoint is left in the middle",
    "its statements are run again as a whole",
    "put the break, continue or return after the block",
)

for _name in ("TryStar",):
    REFUSED[getattr(ast, _name)] = REFUSED[ast.Try]


def advice_for(node: ast.AST) -> Advice | None:
    """Why `node` is refused, or None if it is supported."""
    kind = type(node)
    if kind in SUPPORTED:
        return None
    if kind in REFUSED:
        return REFUSED[kind]
    return Advice(
        f"{kind.__name__} is not supported",
        "it is not in the table of supported syntax",
        "rewrite it with assignments, if, for and while",
    )
