"""Print a function for people: the user's line beside what was made of it.

Each stretch of emitted statements that comes from one line of the user's starts with that line as a
comment, `# 12: h = np.tanh(w @ h + x)`. The line map tells, for every emitted line, where it is from.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from myia.codegen.listing import Function, Known, Listing, Part, Place

_COLUMN = 48
_INDENT = "    "
_LONGEST = 96
"""Characters of a line with what is let go of after it."""


@dataclass
class Printer:
    """Collects the text of one emitted module, line by line."""

    filename: str
    lines: list[str] = field(default_factory=list)
    origins: dict[int, Place] = field(default_factory=dict)
    notes: dict[ast.stmt, str] = field(default_factory=dict)
    """Why a statement is as it is, printed beside it."""
    noted: dict[int, str] = field(default_factory=dict)
    """The same by line."""
    functions: list[Function] = field(default_factory=list)
    files: dict[str, Sequence[str]] = field(default_factory=dict)
    _last: int | None = None

    def function(
        self,
        name: str,
        parameters: list[str],
        doc: str,
        parts: list[tuple[str, list[ast.stmt]]],
        filename: str,
        decorator: str = "",
        sweep: str = "",
        known: Known | None = None,
    ) -> None:
        """A function whose body is given in titled parts; a part without a title follows on.

        A title is the sweep that the part belongs to; `sweep`: that of parts without one.
        """
        self.filename = filename
        self.files.setdefault(filename, linecache.getlines(filename))
        if self.lines:
            self.lines += ["", ""]
        first, listed = len(self.lines) + 1, []
        if decorator:
            self.lines.append(f"@{decorator}")
        self._head(name, parameters)
        plain = "\\" not in doc and '"' not in doc and doc.isprintable()
        self.lines.append(f'{_INDENT}"""{doc}"""' if plain else f"{_INDENT}{doc!r}")
        for title, statements in parts:
            self._last = None
            start = len(self.lines) + 1
            if title and statements:
                self.lines.append(f"{_INDENT}# -- {title} " + "-" * (70 - len(title)))
            self._block(statements, 1)
            listed.append(Part(title or sweep, start, len(self.lines)))
        self.functions.append(Function(name, first, len(self.lines), tuple(listed), known or Known()))

    def _head(self, name: str, parameters: list[str]) -> None:
        line = f"def {name}({', '.join(parameters)}):"
        if len(line) <= 100:
            self.lines.append(line)
        else:
            self.lines += [f"def {name}(", *(f"{_INDENT}{p}," for p in parameters), "):"]

    def _block(self, statements: list[ast.stmt], depth: int) -> None:
        for statement, following in zip_longest(statements, statements[1:]):
            if not isinstance(statement, ast.Delete):
                self._statement(statement, depth, following if isinstance(following, ast.Delete) else None)

    def _statement(self, s: ast.stmt, depth: int, freed: ast.Delete | None = None) -> None:
        """`freed`: what is let go of after the statement, on its own line if it is a simple one."""
        match s:
            case ast.If(test, body, orelse):
                self._line(f"if {_text(test)}:", depth, s)
                self._block(body, depth + 1)
                if len(orelse) == 1 and isinstance(orelse[0], ast.If):
                    self._elif(orelse[0], depth)
                elif orelse:
                    self._line("else:", depth, None)
                    self._block(orelse, depth + 1)
            case ast.For(target, walk, body):
                self._line(f"for {_text(target)} in {_text(walk)}:", depth, s)
                self._block(body, depth + 1)
            case ast.While(test, body):
                self._line(f"while {_text(test)}:", depth, s)
                self._block(body, depth + 1)
            case ast.FunctionDef(name, arguments, body):
                self._line(f"def {name}({ast.unparse(arguments)}):", depth, s)
                self._block(body, depth + 1)
            case _:
                text = _text(s)
                if freed is not None and len(text) + len(also := f"; {_text(freed)}") <= _LONGEST:
                    text, freed = text + also, None
                self._line(text, depth, s)
        if freed is not None:
            self._line(_text(freed), depth, freed)

    def _elif(self, s: ast.If, depth: int) -> None:
        self._line(f"elif {_text(s.test)}:", depth, s)
        self._block(s.body, depth + 1)
        if len(s.orelse) == 1 and isinstance(s.orelse[0], ast.If):
            self._elif(s.orelse[0], depth)
        elif s.orelse:
            self._line("else:", depth, None)
            self._block(s.orelse, depth + 1)

    def _line(self, text: str, depth: int, s: ast.stmt | None) -> None:
        origin = getattr(s, "lineno", None) or None
        line = _INDENT * depth + text
        note = self.notes.get(s, "") if s is not None else ""
        if note:
            self.noted[len(self.lines) + 1] = note
        if origin is not None:
            if origin != self._last:
                source = linecache.getline(self.filename, origin).strip()
                if source:
                    line = f"{line:<{_COLUMN}}  # {origin}: {source}"
                    note = f" ({note})" if note else ""
                self._last = origin
            self.origins[len(self.lines) + 1] = (self.filename, origin)
        if note.startswith(" "):
            line += note
        elif note:
            line = f"{line:<{_COLUMN}}  # {note}"
        self.lines.append(line)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def listing(self) -> Listing:
        return Listing(self.text(), self.origins, self.noted, tuple(self.functions), self.files)


def _text(node: ast.AST) -> str:
    if not hasattr(node, "lineno") and isinstance(node, ast.stmt):
        node.lineno = 0  # what no line of the user's stands for; unparse asks for one
    text = ast.unparse(node)
    if isinstance(node, ast.Tuple) and text.startswith("(") and text.endswith(")"):
        return text[1:-1]
    return text
