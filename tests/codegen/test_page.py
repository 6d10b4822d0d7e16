"""The page of a gradient, read back as a browser would: what it shows, and what leads where."""

from __future__ import annotations

import importlib.util
import io
import itertools
import linecache
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from myia import MyiaError, explain, grad
from myia.codegen import page
from myia.codegen.listing import lines_of
from myia.errors import UnknownArgument
from tests.golden_programs import PROGRAMS

VOID = {"meta", "br", "link", "img", "input", "hr"}


# -- reading a page -------------------------------------------------------------------------------


@dataclass
class Row:
    """A line of the page."""

    side: str
    to: list[str]
    number: str = ""
    text: str = ""
    sweep: str = ""
    href: str = ""
    described: str = ""
    facts: list[str] = field(default_factory=list)
    facts_id: str = ""
    kept: str = ""
    reasons: list[str] = field(default_factory=list)
    colours: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects the lines by id, in order; elements must be closed in order, and ids unique."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.rows: dict[str, Row] = {}
        self.headings: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.contents: dict[str, str] = {}
        self.ids: set[str] = set()
        self.side, self.row = "", Row("", [])
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert len(given) == len(attrs)
        self.elements.append((tag, given))
        if tag not in VOID:
            self.open.append((tag, given))
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.add(given["id"])
        if tag == "section":
            self.side = given["id"]
        elif tag == "tr":
            self.row = self.rows[given["id"]] = Row(self.side, given.get("data-to", "").split())
        elif tag == "td" and given.get("class") == "sweep":
            self.row.sweep = given.get("title", "")
        elif self.inside("th"):
            self.row.href = given.get("href", self.row.href)
            self.row.described = given.get("aria-describedby", self.row.described)
        elif given.get("class") == "facts":
            self.row.facts_id = given["id"]
        elif tag == "h3":
            self.headings.append("")
        elif tag == "li":
            (self.row.reasons if self.inside("details") else self.row.facts).append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.inside("code", "line"):
            self.row.text += data
            if self.open[-1][0] == "span":
                self.row.colours.append((self.open[-1][1]["class"], data))
        elif self.inside("summary"):
            self.row.kept += data
        elif self.inside("li"):
            (self.row.reasons if self.inside("details") else self.row.facts)[-1] += data
        elif self.inside("th"):
            self.row.number += data
        elif self.inside("h3"):
            self.headings[-1] += data
        elif self.open:
            tag = self.open[-1][0]
            self.contents[tag] = self.contents.get(tag, "") + data

    def inside(self, tag: str, kind: str | None = None) -> bool:
        return any(name == tag and kind in (None, given.get("class")) for name, given in self.open)

    def of(self, side: str) -> dict[str, Row]:
        return {name: row for name, row in self.rows.items() if row.side == side}

    def at(self, filename: str, line: int) -> Row:
        """The user's line, by the headings."""
        found = [k for k, (f, a, b) in enumerate(self.extents()) if f == filename and a <= line <= b]
        assert len(found) == 1
        return self.rows[f"u{found[0]}-{line}"]

    def extents(self) -> list[tuple[str, int, int]]:
        found = [re.search(r" (\S+), lines? (\d+)(?: to (\d+))?$", heading) for heading in self.headings]
        return [(m[1], int(m[2]), int(m[3] or m[2])) for m in found]


def read(function, *args, **options) -> tuple[Reader, object]:
    df = grad(function, **options)
    text = explain(df, *args, format="html")
    return Reader(text), df


def check(reader: Reader, df) -> None:
    """The page shows the emitted text and the users' lines, and links them as the line map says."""
    emitted, user = reader.of("emitted"), reader.of("user")
    assert list(emitted) == [f"e{k}" for k in range(1, len(emitted) + 1)]
    assert "".join(f"{row.text}\n" for row in emitted.values()) == df.source
    assert [row.number for row in emitted.values()] == [name[1:] for name in emitted]

    extents = reader.extents()
    assert list(user) == [f"u{k}-{n}" for k, (_, a, b) in enumerate(extents) for n in range(a, b + 1)]
    places = {name: (extents[int(k)][0], int(n)) for name in user for k, n in [name[1:].split("-")]}
    for name, place in places.items():
        assert user[name].text == linecache.getline(*place).rstrip("\r\n")
        assert user[name].number == str(place[1])

    origins = df._latest.listing.origins
    assert df._latest.module.origins == origins
    for name, row in emitted.items():
        assert [places[target] for target in row.to] == [origins[k] for k in [int(name[1:])] if k in origins]
    for name, row in user.items():
        assert row.to == [f"e{k}" for k in sorted(origins) if origins[k] == places[name]]
    for row in reader.rows.values():
        assert row.href == (f"#{row.to[0]}" if row.to else "")
        assert row.described == row.facts_id
        assert bool(row.facts) == bool(row.facts_id)
    assert {place for row in emitted.values() for place in map(places.get, row.to)} == set(origins.values())


# -- programs -------------------------------------------------------------------------------------


def cell(w, h):
    return np.tanh(w @ h)


def unroll(w, h, n):
    for _ in range(n):
        h = cell(w, h)
        if np.sum(h) > 100.0:  # too far
            break
    return np.sum(h * h)


UNROLL = (np.eye(3) * 0.5, np.ones(3), 4)


def direct(w, h):
    for _ in range(3):
        h = np.tanh(w @ h)
    return np.sum(h * h)


def writes(x, n):
    y = x * 1.0
    for k in range(n):
        y[k] = y[k] * y[0]
    return np.sum(y)


def line_of(function, text: str) -> int:
    start = function.__code__.co_firstlineno
    return next(n for n in itertools.count(start) if text in linecache.getline(__file__, n))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_page_shows_every_line_and_links_it_as_the_line_map(name):
    function, args, wrt = PROGRAMS[name]
    check(*read(function, *args, wrt=wrt))


@pytest.mark.parametrize("optimise", [True, False])
def test_of_a_program_that_writes_in_place(optimise):
    check(*read(writes, np.ones(3), 3, optimise=optimise))


def test_a_user_line_leads_to_both_sweeps():
    reader, df = read(unroll, *UNROLL)
    row = reader.at(__file__, line_of(unroll, "h = cell(w, h)"))
    assert {reader.rows[target].sweep for target in row.to} == {"forward sweep", "reverse sweep"}
    assert [fact.split(", ")[-1] for fact in row.facts] == [
        "forward sweep of unroll_grad",
        "reverse sweep of unroll_grad",
    ]


def test_called_functions_are_shown_under_headings_the_differentiated_one_first():
    reader, df = read(unroll, *UNROLL)
    lines = [
        (f.__code__.co_firstlineno, f.__code__.co_firstlineno + size) for f, size in ((unroll, 5), (cell, 1))
    ]
    assert reader.headings == [
        f"unroll {__file__}, lines {lines[0][0]} to {lines[0][1]}",
        f"cell {__file__}, lines {lines[1][0]} to {lines[1][1]}",
    ]
    nav = [given["href"] for tag, given in reader.elements if tag == "a" and given["href"].startswith("#e")]
    assert {"#e1", f"#e{df.source[: df.source.index('def unroll_grad')].count(chr(10)) + 1}"} <= set(nav)


def test_sweeps():
    reader, df = read(unroll, *UNROLL)
    sweep, function = "", ""
    for row in reader.of("emitted").values():
        if row.text.startswith("@"):
            sweep = ""
        elif row.text.startswith("def "):
            function = row.text[4:].partition("(")[0]
            sweep = {"_forward": "forward sweep", "_backward": "reverse sweep"}.get(function[4:], "")
            assert (row.sweep, row.facts) == ("", [f"outside the sweeps of {function}"])
        elif match := re.match(r"    # -- (\w+) -", row.text):
            sweep = f"{match[1]} sweep"
        elif row.text == "    return d_w" and function == "unroll_grad":
            assert row.sweep == ""
        elif row.text and '"""' not in row.text:
            assert row.sweep == sweep
            assert row.facts[0] == f"{sweep or 'outside the sweeps'} of {function}"


def test_facts():
    reader, df = read(direct, np.eye(3), np.ones(3))
    facts = facts_by_text(reader)
    line = line_of(direct, "h = np.tanh")
    assert "sets up the stack h_saved, for h" in facts["h_saved = []"]
    assert facts["h_saved.append(h)"] == [
        "forward sweep of direct_grad",
        f"made of line {line} of test_page.py",
        "saves h on h_saved",
    ]
    assert facts["h = h_saved.pop()"][1:] == [
        f"made of line {line} of test_page.py",
        "takes h back from h_saved",
        "binds h: float64[1]",
    ]
    assert any({"binds h: float64[1]", "lets go of product"} <= set(found) for found in facts.values())


def facts_by_text(reader: Reader) -> dict[str, list[str]]:
    return {row.text.partition("  #")[0].strip(): row.facts for row in reader.of("emitted").values()}


def test_facts_of_what_is_written_in_place():
    reader, df = read(writes, np.ones(3), 3)
    facts = facts_by_text(reader)
    assert "sets up the stack item_saved, for item" in facts["item_saved = []"]
    assert any(re.fullmatch(r"says that \w+ has no value yet", fact) for f in facts.values() for fact in f)
    assert "writes into y[k]" in facts["y[k] = product"]
    assert any(fact.startswith("takes item back from") for f in facts.values() for fact in f)


@pytest.mark.parametrize("function", [direct, lambda w, x: direct(w, x) * 2.0], ids=["own", "called"])
def test_facts_of_snapshots(function):
    df = grad(function, memory="minimal")
    reader = Reader(explain(df, np.eye(3), np.ones(3), format="html"))
    check(reader, df)
    facts = [fact for found in facts_by_text(reader).values() for fact in found]
    assert "plans the snapshots of the loop, plan" in facts
    assert "keeps h in a snapshot, where plan has one" in facts
    assert "takes h back from plan" in facts


def test_a_users_list_is_no_stack():
    def collects(x):
        items = []
        for k in range(3):
            items.append(k)
        return x * items.pop()

    reader, df = read(collects, 2.0)
    facts = [fact for row in reader.rows.values() for fact in row.facts]
    assert not [fact for fact in facts if re.search("stack items|on items|from items", fact)]


def test_notes_of_the_compiler_are_facts():
    def both(w, x):
        return np.sum(np.tanh(w @ x)) + np.sum(w * w)

    reader, df = read(both, np.eye(3), np.ones(3))
    noted = lines_of(df._latest.listing)
    assert any(line.note for line in noted)
    for line in noted:
        facts = reader.rows[f"e{line.number}"].facts
        assert [f for f in facts if f.startswith("note: ")] == ([f"note: {line.note}"] if line.note else [])
        assert line.note in line.text


# -- sources of all kinds -------------------------------------------------------------------------


def loaded(path: Path, text: str):
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_functions_of_several_files(tmp_path):
    one, other = tmp_path / "page_one.py", tmp_path / "page_other.py"
    loaded(other, "import numpy as np\n\n\ndef scaled(x):\n    return 2.0 * np.sin(x)\n")
    text = "from page_other import scaled\n\n\ndef f(x):\n    return scaled(x) * x\n"
    reader, df = read(loaded(one, text).f, 0.5)
    check(reader, df)
    assert reader.headings == [f"f {one}, lines 4 to 5", f"scaled {other}, lines 4 to 5"]
    assert reader.at(str(other), 5).to
    assert {reader.rows[e].facts[1] for e in reader.at(str(other), 5).to} == {
        "made of line 5 of page_other.py"
    }


def test_the_same_line_number_in_two_files(tmp_path):
    loaded(tmp_path / "page_inner.py", "\ndef g(x):\n    return x * x\n")
    outer = loaded(tmp_path / "page_outer.py", "from page_inner import g\ndef f(x):\n    return g(x) + 1.0\n")
    reader, df = read(outer.f, 0.5)
    check(reader, df)
    assert {
        len(reader.at(str(tmp_path / name), 3).to) > 0 for name in ("page_inner.py", "page_outer.py")
    } == {True}


def test_nested_functions_are_shown_once():
    def outer(x):
        def inner(v):
            return v * v

        return inner(x) + inner(x * 2.0)

    reader, df = read(outer, 0.5)
    check(reader, df)
    assert len(reader.headings) == 1
    assert reader.headings[0].startswith("outer ")


def test_decorators_are_shown():
    def same(f):
        return f

    @same
    @same
    def decorated(x):
        return x * x

    reader, df = read(decorated, 0.5)
    check(reader, df)
    assert reader.of("user")[min(reader.of("user"))].text.strip() == "@same"


def test_lambdas():
    f, g = lambda x: x * x, lambda x: f(x) + x * f(x)  # fmt: skip
    reader, df = read(g, 0.5)
    check(reader, df)
    (row,) = reader.of("user").values()
    assert row.text.strip().startswith("f, g = lambda x:")
    assert reader.headings[0].startswith("lambda ")
    assert reader.contents["title"] == "The gradient of <lambda>"


def test_lambdas_that_share_a_line():
    def apply(f, g, x):
        return f(x) * g(x)

    # fmt: off
    def calls(x):
        return apply(lambda v: v *
                     2.0, lambda v: v *
                     3.0, x)
    # fmt: on

    check(*read(calls, 0.5))


def test_a_cell_of_a_notebook_is_shown_as_it_was():
    name = "<ipython-input-7-0123456789ab>"
    text = "c = 2.0\ndef f(x):\n    y = x * c  # <b>\n    return y * y\n"
    linecache.cache[name] = (len(text), None, io.StringIO(text).readlines(), name)
    names: dict = {}
    exec(compile(text, name, "exec"), names)  # noqa: S102
    df = grad(names["f"])
    reader = Reader(explain(df, 2.0, format="html"))
    check(reader, df)
    assert reader.headings == [f"f {name}, lines 2 to 4"]
    linecache.cache[name] = (3, None, ["x\n"], name)
    assert [row.text for row in Reader(explain(df, 2.0, format="html")).of("user").values()] == [
        "def f(x):",
        "    y = x * c  # <b>",
        "    return y * y",
    ]


HOSTILE = '''\
def f(x):
    """</script></style></pre><script>alert(1)</script> <!-- & &amp; &lt; é \u2028 \U0001f600"""
    a = "</td><img src=x onerror='alert(2)'>" if x > 0 else '"'  # ]]> --> \x0c <br>
\tb = x * 2.0 if a < "&quot;" else x
    return b * b
'''.replace("\t", "    ")


@pytest.mark.parametrize("name", ["page_hostile.py", "<b>&amp;.py", "page'\"é.py"])
def test_everything_is_escaped(tmp_path, name):
    path = str(tmp_path / name)
    linecache.cache[path] = (len(HOSTILE), None, io.StringIO(HOSTILE).readlines(), path)
    names: dict = {}
    exec(compile(HOSTILE, path, "exec"), names)  # noqa: S102
    df = grad(names["f"])
    text = explain(df, 2.0, format="html")
    reader = Reader(text)
    check(reader, df)
    tags = [tag for tag, _ in reader.elements]
    assert (tags.count("script"), tags.count("style"), tags.count("img"), tags.count("b")) == (1, 1, 0, 0)
    assert reader.contents["script"] == Path(page.__file__).with_name("page.js").read_text()
    assert {key for _, given in reader.elements for key in given if key.startswith("on")} == set()
    assert reader.headings == [f"f {path}, lines 1 to 5"]
    text.encode()


def test_keys_in_types_are_escaped():
    reader, df = read(lambda table: table["</ul><p>"] * 2.0, {"</ul><p>": 1.0})
    check(reader, df)
    assert any("</ul><p>" in row.text for row in reader.rows.values())
    assert [tag for tag, _ in reader.elements].count("p") == 1  # the help


# -- colours --------------------------------------------------------------------------------------


def test_colours_are_those_of_tokens():
    reader, df = read(unroll, *UNROLL)
    row = reader.at(__file__, line_of(unroll, "if np.sum(h)"))
    assert row.colours == [("keyword", "if"), ("number", "100.0"), ("comment", "# too far")]


def test_a_string_of_several_lines_is_coloured_on_each():
    assert page._coloured(['x = """a<\n', "  b\n", 'c""" + 1\n']) == [
        'x = <span class="string">&quot;&quot;&quot;a&lt;</span>',
        '<span class="string">  b</span>',
        '<span class="string">c&quot;&quot;&quot;</span> + <span class="number">1</span>',
    ]


@pytest.mark.parametrize("text", ["x = (1,\n", "if x:\n  y\n z\n", "x = '''\n", "x = $\n", ")\n", ""])
def test_what_does_not_parse_keeps_its_text(text):
    lines = io.StringIO(text).readlines()
    shown = [re.sub("<[^>]*>", "", line) for line in page._coloured(lines)]
    assert shown == [page._escaped(line.rstrip("\n")) for line in lines]


# -- reports --------------------------------------------------------------------------------------


def test_bytes_of_a_report_stand_at_their_lines():
    report = grad(unroll).memory_report(*UNROLL)
    reader = Reader(explain(unroll, *UNROLL, format="html", report=report))
    places: dict[tuple[str, int], list] = {}
    for row in report.rows:
        places.setdefault((row.site.filename, row.site.line), []).append(row)
    for name, row in reader.of("user").items():
        filename, first, _ = reader.extents()[int(name[1 : name.index("-")])]
        rows = [kept for kept in places.pop((filename, int(row.number)), []) if kept.bytes]
        assert row.kept == (f"keeps {sum(kept.bytes for kept in rows)} bytes" if rows else "")
        assert len(row.reasons) == len(rows)
        for reason, kept in zip(row.reasons, rows):
            assert reason.startswith(f"{kept.bytes} byte")
            assert kept.site.what in reason
            assert reason.endswith(kept.site.why)
    assert places == {}
    line = reader.at(__file__, line_of(cell, "np.tanh"))
    assert int(line.kept.split()[1]) >= 4 * 3 * 8
    assert str(report).splitlines()[0] in reader.contents["p"]


def test_a_report_of_something_else_is_refused():
    report = grad(writes).memory_report(np.ones(3), 3)
    with pytest.raises(
        UnknownArgument, match=r"not of the gradient of unroll\nreason: it tells of line \d+ of"
    ):
        explain(unroll, *UNROLL, format="html", report=report)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"format": "pdf"}, "format='pdf' is no format of explain"),
        ({"format": None}, "format=None is no format of explain"),
        ({"report": grad(writes).memory_report(np.ones(3), 3)}, "report= is given for text"),
        ({"format": "html", "report": "12 bytes"}, "report='12 bytes' is no memory report"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(UnknownArgument, match=message) as info:
        explain(writes, np.ones(3), 3, **options)
    assert isinstance(info.value, MyiaError)


def test_text_is_the_default():
    assert explain(writes, np.ones(3), 3) == explain(writes, np.ones(3), 3, format="text")


# -- the page as a whole --------------------------------------------------------------------------


def test_a_page_fetches_nothing():
    text = explain(unroll, *UNROLL, format="html")
    reader = Reader(text)
    for tag, given in reader.elements:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert "src" not in given
        assert given.get("href", "#").startswith("#")
    for name in ("style", "script"):
        assert not re.search(r"url\(|@import|https?:|fetch|import\(", reader.contents[name])
    policy = next(given["content"] for tag, given in reader.elements if "http-equiv" in given)
    assert policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        assert f"{name}-src {page._digest(reader.contents[name])}" in policy


def test_every_link_leads_somewhere():
    reader = Reader(explain(unroll, *UNROLL, format="html"))
    for _, given in reader.elements:
        if "href" in given:
            assert given["href"][1:] in reader.ids
        for key in ("aria-describedby", "aria-labelledby"):
            assert given.get(key, "user") in reader.ids
        assert set(given.get("data-to", "user").split()) <= reader.ids


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme):
    style = Path(page.__file__).with_name("page.css").read_text()
    colours = dict(
        re.findall(r"--(\w+): (#[0-9a-f]{6});", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme])
    )
    for text in ("ink", "dim", "keyword", "string", "number", "edge"):
        for behind in ("paper", "panel", "here", "there"):
            high, low = sorted((luminance(colours[text]), luminance(colours[behind])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, behind)


def test_a_page_is_the_same_in_any_process():
    """Sets of names are ordered by hash, which differs from process to process."""
    program = (
        "import numpy as np; from myia import explain, grad; from tests.codegen.test_page import *;"
        "report = grad(unroll).memory_report(*UNROLL);"
        "print(explain(unroll, *UNROLL, format='html', report=report));"
        "print(explain(writes, np.ones(3), 3, format='html'))"
    )
    printed = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            check=True,
        )
        printed.add(done.stdout)
    assert len(printed) == 1


def test_nothing_is_run():
    def stops(x):
        assert x < 0.0
        return x * x

    assert "stops_grad" in explain(stops, 1.0, format="html")
