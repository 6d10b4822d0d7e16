"""The documents stay true: their Python blocks run, and print what the pages show.

    python tests/test_docs.py --update      # after a change of the emitted code: refresh what is shown

The blocks of a page run in order and share their names. A fenced block that follows a line
`<!-- prints -->` shows what the Python block before it printed; `<!-- raises -->` shows the last lines of
the traceback that it ended with. A block of Python after `<!-- not run -->` is an excerpt. Each block is
written to a file of its own, because a gradient needs a function's source: `# rnn.py` in its first line
names the file, so that the shown line numbers are those of the block.

Compared are the texts without trailing spaces and without the folder of the file.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import linecache
import re
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "docs/usage.md",
    "CONTRIBUTING.md",
    "LIMITS.md",
    "docs/design.md",
    "docs/index.md",
    "docs/kernels.md",
)

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (prints|raises|not run) -->\s*\Z")
_NAME = re.compile(r"# (\w+\.py)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where its text stands in the page, and the mark before it."""

    start: int
    stop: int
    language: str
    text: str
    mark: str


@dataclass(frozen=True)
class Shown:
    """What a page shows, and what it should."""

    block: Block
    actual: str


def blocks_of(page: str) -> list[Block]:
    found = []
    for match in _FENCE.finditer(page):
        mark = _MARK.search(page[: match.start()])
        found.append(Block(*match.span(2), match[1], match[2], mark[1] if mark else ""))
    return found


def shown(page: str, folder: Path) -> list[Shown]:
    """Run the Python blocks of a page; pair each shown output with what came out."""
    names: dict[str, Any] = {"__name__": "page"}
    outputs: list[Shown] = []
    printed, raised = "", ""
    for number, block in enumerate(blocks_of(page)):
        if block.mark == "prints":
            outputs.append(Shown(block, printed))
        elif block.mark == "raises":
            assert raised, f"nothing was raised before block {number}, of which the page shows {block.text!r}"
            outputs.append(Shown(block, raised))
            raised = ""
        elif block.language == "python" and not block.mark:
            assert not raised, f"a block raised, which the page does not show:\n{raised}"
            printed, raised = run(block.text, folder / f"{number:02}", names)
    assert not raised, f"the last block raised:\n{raised}"
    return outputs


def run(text: str, folder: Path, names: dict[str, Any]) -> tuple[str, str]:
    """What a block prints, and the end of its traceback if it raises."""
    first = _NAME.match(text.partition("\n")[0])
    path = folder / (first[1] if first else "example.py")
    folder.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    linecache.checkcache(str(path))
    output, raised = io.StringIO(), ""
    names["__file__"] = str(path)
    with contextlib.redirect_stdout(output):
        try:
            exec(compile(text, str(path), "exec"), names)  # noqa: S102 - the page is ours
        except Exception as error:  # noqa: BLE001 - whatever it is, the page has to show it
            raised = "".join(traceback.format_exception_only(error))
    return output.getvalue().replace(f"{folder}/", ""), raised.replace(f"{folder}/", "")


def updated(page: str, outputs: list[Shown]) -> str:
    """The page with every output as it came out."""
    for output in reversed(outputs):
        if _lines(output.actual) != _lines(output.block.text):
            text = "\n".join(_lines(output.actual)) + "\n"
            page = page[: output.block.start] + text + page[output.block.stop :]
    return page


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


@pytest.mark.parametrize("name", PAGES)
def test_page_shows_what_happens(name: str, tmp_path: Path) -> None:
    path = ROOT / name
    page = path.read_text(encoding="utf-8")
    differences = difflib.unified_diff(
        _lines(page), _lines(updated(page, shown(page, tmp_path))), f"{name} as it is", "as it should be", n=2
    )
    difference = "\n".join(differences)
    assert not difference, f"python tests/test_docs.py --update would change\n{difference}"


def test_a_wrong_output_is_noticed(tmp_path: Path) -> None:
    page = "```python\nprint(1 + 1)\n```\n\n<!-- prints -->\n```text\n3\n```\n"

    assert updated(page, shown(page, tmp_path)) == page.replace("3\n", "2\n")


def test_an_error_that_is_not_shown_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        shown("```python\n1 / 0\n```\n", tmp_path)


def main(arguments: list[str]) -> int:
    """Check the pages, or with `--update` write what they should show."""
    update = arguments == ["--update"]
    if arguments and not update:
        print(__doc__)
        return 2
    stale = []
    for name in PAGES:
        path = ROOT / name
        page = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            fresh = updated(page, shown(page, Path(folder)))
        if fresh != page:
            stale.append(name)
            if update:
                path.write_text(fresh, encoding="utf-8")
    print(f"{'updated' if update else 'out of date'}: {', '.join(stale)}" if stale else "all as it should be")
    return 1 if stale and not update else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
