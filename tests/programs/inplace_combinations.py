"""Each form of alias times each form of write, in straight line and in each context.

The programs are generated text, registered as if it were a file, so that the compiler finds their source. In
straight line every pair is a row; in the other contexts each alias and each write stands in some row.
"""

from __future__ import annotations

import linecache
import textwrap

import numpy as np

from tests.programs.inplace import InPlace
from tests.programs.table import matrix

ALIASES = {
    "name": """
        b = a
        v = b[0]
        """,
    "row": "v = a[1]",
    "last_row_reversed": "v = a[-1][::-1]",
    "column": "v = a[:, 2]",
    "transposed": "v = a.T[0]",
    "swapped_axes": "v = np.swapaxes(a, 0, 1)[1]",
    "flat": "v = a.reshape(-1)[2:6]",
    "strided": "v = a.ravel()[::5]",
    "einsum": 'v = np.einsum("ii->i", a)',
    "view_of_view": """
        w = a[1:][::-1]
        v = w[1, :]
        """,
    "new_axis": "v = a[None, 2][0]",
    "unpacked": "_, v, _, u = a",
    "iterated": """
        for v in a:
            v *= 0.9
        """,
    "list": """
        items = [a[0], a[1]]
        v = items[1]
        """,
    "list_appended": """
        items = []
        items.append(a[3])
        v = items[0]
        """,
    "dict": """
        state = {"u": a[2]}
        v = state["u"]
        """,
    "tuple": """
        pair = (a[2], a)
        v = pair[1][2]
        """,
    "attribute": """
        box = Box(a[1])
        v = box.u
        """,
    "conditional": "v = a[0] if m[0, 0] > 0.0 else a[1]",
    "branch": """
        if x[0] > 5.0:
            v = a[2]
        else:
            v = a[3]
        """,
    "closure": """
        get = lambda: a[3]
        v = get()
        """,
    "function": "v = second_row(a)",
    "asarray": "v = np.asarray(a)[0]",
    "result_of_out": "v = np.multiply(a[1], 2.0, out=a[0])",
    "copy": "v = a[0].copy()",
    "reshaped_copy": "v = a.T.reshape(-1)[1:5]",
}

WRITES = {
    "element": "v[1] = v[0] * x[2]",
    "slice": "v[1:3] = v[:2] * x[1:3]",
    "whole": "v[...] = v * x",
    "constant": "v[0] = 1",
    "mask": "v[x > 0.0] = x[0]",
    "integers": "v[[0, 2, 0]] = x[:3] * v[1]",
    "augmented_element": "v[2] *= v[1]",
    "augmented": "v += x * v",
    "augmented_by_own_view": "v *= v[::-1]",
    "augmented_overlap": "v[1:] += 0.5 * v[:-1]",
    "augmented_mask": "v[x < 0.5] *= x[1]",
    "out": "np.multiply(v, x, out=v)",
    "out_overlap": "np.sin(v, out=v[::-1])",
    "reduction_out": "np.cumsum(v * x, out=v)",
    "add_at": "np.add.at(v, [0, 0, 3], x[:3])",
    "copyto": "np.copyto(v, x * v, where=x > 0.0)",
    "fill": "v.fill(x[1])",
    "sort": "v.sort()",
    "swap": "v[0], v[3] = v[3], v[0] * x[0]",
    "called": "put_into(v, x[0] * v[2])",
    "in_a_loop": """
        for j in range(3):
            v[j + 1] += v[j] * x[j]
        """,
}

CONTEXTS = {
    "straight": """
        ALIAS
        WRITE
        """,
    "branch": """
        ALIAS
        if x[1] > 5.0:
            v[0] = 2.0
        else:
            WRITE
        """,
    "for": """
        ALIAS
        for k in range(3):
            WRITE
            total = total + (a * a).sum() * v[0]
        """,
    "for_break": """
        ALIAS
        for k in range(5):
            WRITE
            total = total + (a * a).sum()
            if k * x[3] > 0.2:
                break
            v[3] += total * 0.1
        """,
    "while": """
        ALIAS
        k = 0
        while k < 2:
            total = total + (v * v).sum()
            WRITE
            k += 1
        """,
    "nested": """
        ALIAS
        for k in range(2):
            for l in range(k + 1):
                WRITE
            v[l] *= x[k]
            total = total + (a * a).sum()
        """,
    "alias_in_loop": """
        for k in range(2):
            ALIAS
            WRITE
            total = total + (a * v).sum()
        """,
    "alias_before_and_after": """
        ALIAS
        before = v
        WRITE
        a[1] *= x
        ALIAS
        WRITE
        total = total + (before * before).sum()
        """,
    "called": """
        def body(a, v):
            WRITE
            return (v * v).sum()

        ALIAS
        total = total + body(a, v) * body(a, v)
        """,
    "closure": """
        ALIAS
        outer = v

        def body():
            v = outer
            WRITE
            return v[1]

        total = total + body() * body()
        """,
    "recursion": """
        def body(v, n):
            if n > 0:
                WRITE
                body(v, n - 1)
                v[0] *= x[0]

        ALIAS
        body(v, 2)
        """,
    "early_return": """
        ALIAS
        WRITE
        if x[1] < 5.0:
            return (a * a * m).sum() + (v * x).sum()
        WRITE
        """,
}

HELPERS = """\
import numpy as np


class Box:
    def __init__(self, u):
        self.u = u


def second_row(a):
    return a[1]


def put_into(v, value):
    v[3] = value

"""


def dedented(text: str) -> str:
    return textwrap.dedent(text).strip()


def text_of(alias: str, write: str, context: str) -> str:
    lines = ["a = m * m", "total = x[0]"]
    for line in dedented(CONTEXTS[context]).split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        part = line.strip()
        part = ALIASES[alias] if part == "ALIAS" else WRITES[write] if part == "WRITE" else part
        lines += textwrap.indent(dedented(part), indent).split("\n")
    lines.append("return (a * a * m).sum() + (v * x).sum() + total")
    return f"def {alias}__{write}__{context}(m, x):\n" + textwrap.indent("\n".join(lines), "    ") + "\n"


X = np.array([0.713, -0.467, 1.129, 0.291])
"""Chosen so that no program comes near a kink: a sort or a mask with a tie."""


def combination(alias: str, write: str, context: str) -> InPlace:
    text, name = text_of(alias, write, context), f"{alias}__{write}__{context}"
    source, filename = HELPERS + "\n" + text, f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    names: dict = {"__name__": "tests.programs.inplace_combinations.generated"}
    exec(compile(source, filename, "exec"), names)  # noqa: S102
    return InPlace(name, names[name], matrix(4, 4), X, wrt=(0, 1))


def chosen() -> list[tuple[str, str, str]]:
    """All pairs in straight line; elsewhere the writes go round while the aliases do."""
    triples = [(alias, write, "straight") for alias in ALIASES for write in WRITES]
    writes = list(WRITES)
    for turn, context in enumerate(list(CONTEXTS)[1:]):
        for place, alias in enumerate(ALIASES):
            triples.append((alias, writes[(place + 5 * turn) % len(writes)], context))
    return triples


def every() -> list[tuple[str, str, str]]:
    return [(alias, write, context) for context in CONTEXTS for alias in ALIASES for write in WRITES]
