"""A gradient as one page of HTML: the user's functions beside what they became, the lines of both linked.

The page holds all it needs: style and script are in it, and nothing is fetched. Without the script a line's
number leads to the first line of the other side. Every text is escaped, and no script may run but the page's.

    page = gradient_page("slope", compiled.listing, compiled.sources)
"""

from __future__ import annotations

import base64
import hashlib
import html
import keyword
import os
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from myia.codegen.listing import Fact, Line, Listing, Place, lines_of
from myia.errors import UnknownArgument
from myia.parse.source import Source
from myia.report import Kept, MemoryReport

_SWEEPS = {
    "forward": ("\N{RIGHTWARDS ARROW}", "forward sweep"),
    "reverse": ("\N{LEFTWARDS ARROW}", "reverse sweep"),
}

_WORDS = {
    "sets up": "sets up the stack {what}, for {also}",
    "plans": "plans the snapshots of the loop, {what}",
    "unbound": "says that {what} has no value yet",
    "binds": "binds {what}",
    "writes": "writes into {what}",
    "saves": "saves {what} on {also}",
    "snapshots": "keeps {what} in a snapshot, where {also} has one",
    "restores": "takes {what} back from {also}",
    "frees": "lets go of {what}",
}

_HELP = (
    "Point at a line, or move to its number with Tab, to see the lines of the other side that belong to it,"
    " and what is known of it. A click, or Enter, holds on to it; Escape lets go."
    " \N{RIGHTWARDS ARROW} marks the forward sweep, \N{LEFTWARDS ARROW} the reverse sweep."
)


@dataclass(frozen=True)
class Excerpt:
    """Lines of a file of the user's, the last included, and the functions that they hold."""

    names: tuple[str, ...]
    filename: str
    first: int
    last: int


def gradient_page(
    name: str, listing: Listing, sources: Sequence[Source], report: MemoryReport | None = None
) -> str:
    """The page of the gradient of `name`; `sources`: the user's functions, the differentiated one first.

    `report`: what a run kept; raises UnknownArgument if it is of other functions.
    """
    excerpts = excerpts_of(listing, sources)
    ids = {
        (e.filename, line): f"u{k}-{line}"
        for k, e in enumerate(excerpts)
        for line in range(e.first, e.last + 1)
    }
    lines = lines_of(listing)
    became: dict[Place, list[Line]] = defaultdict(list)
    for line in lines:
        if line.origin is not None:
            became[line.origin].append(line)
    kept = _kept(name, report, ids)
    files = {filename: _coloured(text) for filename, text in listing.files.items()}
    user = "".join(_excerpt(e, files[e.filename], ids, became, kept) for e in excerpts)
    summary = "" if report is None else f"<p>{_escaped(str(report).splitlines()[0])}</p>"
    return _skeleton(f"The gradient of {name}", summary, user, _emitted(listing, lines, ids))


# -- what is shown --------------------------------------------------------------------------------


def excerpts_of(listing: Listing, sources: Sequence[Source]) -> list[Excerpt]:
    """The lines of the functions, the first function's before the others; what overlaps is shown once."""
    spans = [_span(source) for source in sources]
    main = spans[0]
    # In case a line is from none of the functions.
    spans += [Excerpt((), filename, line, line) for filename, line in listing.origins.values()]
    merged: list[Excerpt] = []
    for span in sorted(spans, key=lambda e: (e.filename, e.first, -e.last)):
        if merged and merged[-1].filename == span.filename and span.first <= merged[-1].last:
            merged[-1] = _merged(merged[-1], span)
        else:
            merged.append(span)

    def place(e: Excerpt) -> tuple[bool, bool, str, int]:
        elsewhere = e.filename != main.filename
        return elsewhere, elsewhere or not e.first <= main.first <= e.last, e.filename, e.first

    return sorted(merged, key=place)


def _span(source: Source) -> Excerpt:
    """All lines of a function, its decorators' too."""
    node = source.node
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return Excerpt((source.name,), source.filename, first, node.end_lineno or node.lineno)


def _merged(outer: Excerpt, e: Excerpt) -> Excerpt:
    """`e` begins in `outer`; a function inside another goes without saying."""
    if e.last <= outer.last and (e.first, e.last) != (outer.first, outer.last):
        return outer
    names = tuple(dict.fromkeys([*outer.names, *e.names]))
    return replace(outer, names=names, last=max(outer.last, e.last))


def _kept(name: str, report: MemoryReport | None, ids: Mapping[Place, str]) -> dict[Place, list[Kept]]:
    """The rows of a report by place."""
    rows: dict[Place, list[Kept]] = defaultdict(list)
    for row in report.rows if report is not None else ():
        place = row.site.filename, row.site.line
        if place not in ids:
            raise UnknownArgument(
                f"report= is not of the gradient of {name}",
                reason=f"it tells of line {row.site.line} of {row.site.filename}, in {row.site.function}",
                remedy="give the memory_report of the same function, for the same arguments",
            )
        rows[place].append(row)
    return rows


# -- the user's side ------------------------------------------------------------------------------


def _excerpt(
    e: Excerpt,
    file: Sequence[str],
    ids: Mapping[Place, str],
    became: Mapping[Place, list[Line]],
    kept: Mapping[Place, list[Kept]],
) -> str:
    """`file`: its lines, as HTML."""
    rows = []
    for number in range(e.first, e.last + 1):
        place = e.filename, number
        made = became.get(place, [])
        code = f'<code class="line">{file[number - 1] if number <= len(file) else ""}</code>'
        code += _kept_here(kept.get(place, []))
        facts = [_became(lines) for lines in _by_sweep(made)]
        rows.append(_row(ids[place], number, [f"e{line.number}" for line in made], code, facts))
    extent = f"line {e.first}" if e.first == e.last else f"lines {e.first} to {e.last}"
    names = _escaped(", ".join(e.names))
    return f"<h3>{names} <span>{_escaped(e.filename)}, {extent}</span></h3>\n{_table(rows)}"


def _by_sweep(lines: Iterable[Line]) -> list[list[Line]]:
    return [list(group) for _, group in groupby(lines, lambda line: (line.function, line.sweep))]


def _became(lines: list[Line]) -> str:
    """Lines of one function and sweep, for which a user's line stands."""
    runs: list[list[int]] = []
    for number in (line.number for line in lines):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    spelled = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    several = "s" if len(lines) > 1 else ""
    return f"became line{several} {', '.join(spelled)}, {_whereabouts(lines[0])}"


def _kept_here(rows: list[Kept]) -> str:
    """What a run kept at a line: the bytes, and on request of what and why."""
    rows = [row for row in rows if row.bytes]
    if not rows:
        return ""
    items = "".join(f"<li>{_escaped(_kept_row(row))}</li>" for row in rows)
    total = sum(row.bytes for row in rows)
    return f'<details class="kept"><summary>keeps {_bytes(total)}</summary><ul>{items}</ul></details>'


def _kept_row(row: Kept) -> str:
    site = row.site
    what = f"elements of {site.what}" if site.elements else site.what
    times = "once" if row.times == 1 else f"{row.times} times"
    return f"{_bytes(row.bytes)}: {what}, {times}; {site.why}"


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


# -- the emitted side -----------------------------------------------------------------------------


def _emitted(listing: Listing, lines: Sequence[Line], ids: Mapping[Place, str]) -> str:
    links = [f'<a href="#e{f.first}">{_escaped(f.name)}</a>' for f in listing.functions]
    contents = f'<nav aria-label="Emitted functions">{", ".join(links)}</nav>\n' if len(links) > 1 else ""
    coloured = _coloured([f"{line.text}\n" for line in lines])
    rows = []
    for line, text in zip(lines, coloured, strict=True):
        arrow, title = _SWEEPS.get(line.sweep, ("", ""))
        before = f'<td class="sweep" title="{title}">{arrow}</td>' if arrow else '<td class="sweep"></td>'
        to = [] if line.origin is None else [ids[line.origin]]
        code = f'<code class="line">{text}</code>'
        rows.append(_row(f"e{line.number}", line.number, to, code, _facts(line), before))
    return contents + _table(rows)


def _facts(line: Line) -> list[str]:
    """What is known of an emitted line, in sentences."""
    if not line.text:
        return []
    found = [_whereabouts(line)]
    if line.origin is not None:
        found.append(f"made of line {line.origin[1]} of {os.path.basename(line.origin[0])}")
    found += map(_sentence, line.facts)
    if line.note:
        found.append(f"note: {line.note}")
    return found


def _whereabouts(line: Line) -> str:
    sweep = _SWEEPS.get(line.sweep, ("", "outside the sweeps"))[1]
    return f"{sweep} of {line.function}"


def _sentence(fact: Fact) -> str:
    text = _WORDS[fact.kind].format(what=fact.what, also=fact.also)
    return f"{text}: {fact.also}" if fact.kind == "binds" and fact.also else text


# -- HTML -----------------------------------------------------------------------------------------


def _row(own: str, number: int, to: Sequence[str], code: str, facts: Sequence[str], before: str = "") -> str:
    """A line with its number, which leads to the lines `to` of the other side."""
    described = f' aria-describedby="{own}-facts"' if facts else ""
    links = f' data-to="{" ".join(to)}"' if to else ""
    if to:
        spelled = f'<a href="#{to[0]}"{described}>{number}</a>'
    elif facts:
        spelled = f'<span tabindex="0"{described}>{number}</span>'
    else:
        spelled = str(number)
    if facts:
        items = "".join(f"<li>{_escaped(fact)}</li>" for fact in facts)
        code += f'<ul class="facts" id="{own}-facts">{items}</ul>'
    return f'<tr id="{own}"{links}>{before}<th scope="row">{spelled}</th><td>{code}</td></tr>\n'


def _table(rows: Iterable[str]) -> str:
    return f"<table>\n{''.join(rows)}</table>\n"


def _skeleton(title: str, summary: str, user: str, emitted: str) -> str:
    style, script = _beside("page.css"), _beside("page.js")
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_escaped(title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<a class="skip" href="#emitted">To the emitted code</a>
<h1>{_escaped(title)}</h1>{summary}
</header>
<main>
<section id="user" aria-labelledby="user-title">
<h2 id="user-title">Your code</h2>
{user}</section>
<section id="emitted" aria-labelledby="emitted-title">
<h2 id="emitted-title">Emitted code</h2>
{emitted}</section>
</main>
<footer><p>{_escaped(_HELP)}</p></footer>
<script>{script}</script>
</body>
</html>
"""


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """By which a page says that it allows this style or script, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _escaped(text: str) -> str:
    return html.escape(text).replace("\r", "&#13;")


# -- colours --------------------------------------------------------------------------------------


def _coloured(lines: Sequence[str]) -> list[str]:
    """Each line of Python as HTML, its end left out; what cannot be taken into tokens stays plain."""
    spans: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    try:
        for token in tokenize.generate_tokens(iter(lines).__next__):
            kind = _kind(token)
            (first, start), (last, stop) = token.start, token.end
            for row in range(first, last + 1) if kind else ():
                whole = len(lines[row - 1])
                spans[row].append((start if row == first else 0, stop if row == last else whole, kind))
    except (tokenize.TokenError, SyntaxError):
        pass
    return [_spanned(line.rstrip("\r\n"), spans[row]) for row, line in enumerate(lines, 1)]


def _kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else ""
    name = tokenize.tok_name[token.type].lower()
    return "string" if name.startswith("fstring") else name if name in ("string", "number", "comment") else ""


def _spanned(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    done, made = 0, ""
    for start, stop, kind in spans:
        if done <= start < min(stop, len(text)):
            made += _escaped(text[done:start]) + f'<span class="{kind}">{_escaped(text[start:stop])}</span>'
            done = stop
    return made + _escaped(text[done:])
