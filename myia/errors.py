"""What Myia says when it refuses: file, line, caret, reason, remedy.

Every refusal is a `MyiaError`. Those that stand for a familiar Python error also inherit from it, so
that `except TypeError` and `except RecursionError` keep working around a gradient.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass


@dataclass(frozen=True)
class Location:
    """A stretch of one line of the user's source: columns are 0-based, `end_column` is exclusive."""

    filename: str
    line: int
    column: int | None = None
    end_column: int | None = None

    @property
    def text(self) -> str:
        return linecache.getline(self.filename, self.line).rstrip("\n")

    def excerpt(self) -> str:
        """The line of source with carets under the columns, indented by four."""
        text = self.text
        if not text.strip():
            return ""
        indent = len(text) - len(text.lstrip())
        start = indent if self.column is None else self.column
        stop = len(text) if self.end_column is None or self.end_column <= start else self.end_column
        carets = " " * (start - indent) + "^" * max(1, stop - start)
        return f"    {text.strip()}\n    {carets}"


class MyiaError(Exception):
    """A refusal. `summary`, `reason` and `remedy` are sentences; `location` may be filled in later.

    The runtime raises refusals without a location, since it does not know the user's source; the API
    fills it in from the line map of the emitted code before the user sees the error.
    """

    def __init__(
        self, summary: str, *, reason: str = "", remedy: str = "", location: Location | None = None
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.reason = reason
        self.remedy = remedy
        self.location = location

    def __str__(self) -> str:
        lines = []
        if self.location is None:
            lines.append(self.summary)
        else:
            lines.append(f"{self.location.filename}:{self.location.line}: {self.summary}")
            if excerpt := self.location.excerpt():
                lines.append(excerpt)
        if self.reason:
            lines.append(f"reason: {self.reason}")
        if self.remedy:
            lines.append(f"remedy: {self.remedy}")
        return "\n".join(lines)


class SourceUnavailable(MyiaError, OSError):
    """The function's source is not to be had, so there is nothing to differentiate."""


class UnsupportedSyntax(MyiaError, NotImplementedError):
    """The program uses a construct that is not in the table of supported syntax."""


class UnsupportedMutation(UnsupportedSyntax):
    """The program writes into an array or a container in place."""


class MissingRule(MyiaError, NotImplementedError):
    """A value that matters for the gradient reaches a function without a derivative rule."""


class NonScalarOutput(MyiaError, TypeError):
    """`grad` was asked for the gradient of something that is not one real number."""


class NotDifferentiable(MyiaError, TypeError):
    """A selected argument, or a value on the way, has a type without a derivative."""


class UnknownArgument(MyiaError, TypeError):
    """`wrt` names an argument that the function does not have."""


class RecursionDepth(MyiaError, RecursionError):
    """The differentiated function recursed deeper than the interpreter's limit."""


class MemoryBudget(MyiaError, MemoryError):
    """The memory that a gradient may take is less than the least it can do with."""


class SnapshotFile(MyiaError, OSError):
    """A snapshot of `disk=` could not be written, or did not come back from its file as it was."""


class MissingPackage(MyiaError, ImportError):
    """Something was asked for that needs a package which is not installed."""
