"""The printed text: comments with the user's lines, and the map from emitted to user's lines."""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import re

import numpy as np
import pytest

from myia import grad
from myia.codegen.emit import Printer

TEXT = "y = x * 2\nif y > 1:\n    y = 3\nelif y:\n    y = 4\nelse:\n    y = 5\nreturn y\n"


def printed(text: str, name: str = "<printed>", **titles: str) -> Printer:
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    printer = Printer(name)
    printer.function("f", ["x"], "Doc.", [("forward", ast.parse(text).body)], name)
    return printer


def test_each_stretch_of_a_users_line_starts_with_it():
    text = printed(TEXT).text()
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "def f(x):",
        '"""Doc."""',
        "# -- forward " + "-" * 63,
        "y = x * 2 # 1: y = x * 2",
        "if y > 1: # 2: if y > 1:",
        "y = 3 # 3: y = 3",
        "elif y: # 4: elif y:",
        "y = 4 # 5: y = 4",
        "else:",
        "y = 5 # 7: y = 5",
        "return y # 8: return y",
    ]


def test_the_line_map():
    printer = printed(TEXT)
    for line, (filename, origin) in printer.origins.items():
        assert filename == "<printed>"
        code = printer.lines[line - 1].split("  #")[0].strip()
        assert code == TEXT.splitlines()[origin - 1].strip()
    assert len(printer.origins) == 7  # all but the head, the docstring, the title and `else:`


def test_a_line_is_not_repeated_in_its_stretch():
    name = "<stretch>"
    linecache.cache[name] = (9, None, ["z = a; b\n"], name)
    printer = Printer(name)
    body = ast.parse("z = a; b").body
    printer.function("f", [], "Doc.", [("", body)], name)
    assert printer.text().count("# 1: ") == 1
    assert len(printer.origins) == 2


def test_long_lists_of_parameters_are_broken():
    printer = Printer("<none>")
    names = [f"a_rather_long_parameter_{k}" for k in range(6)]
    printer.function("f", names, "Doc.", [("", ast.parse("pass").body)], "<none>")
    text = printer.text()
    assert max(map(len, text.splitlines())) < 100
    assert isinstance(ast.parse(text).body[0], ast.FunctionDef)


def test_functions_are_two_lines_apart():
    printer = Printer("<none>")
    for name in "fg":
        printer.function(name, [], "Doc.", [("", ast.parse("pass").body)], "<none>")
    assert "\n\n\ndef g():" in printer.text()


def long_body(x, n):
    y = x
    for k in range(n):
        if y > 2.0:
            y = math.sin(y) * x  # the user's comment
        elif y > 1.0:
            y = y * x + x**k
        else:
            y = -y
    return np.sum(np.array([1.0, 2.0])) * y


def test_comments_of_emitted_code_quote_the_file():
    """Every `# 12: text` in emitted code is line 12 of this file."""
    source = grad(long_body).source_for(0.5, 3)
    quoted = re.findall(r"  # (\d+): (.*)$", source, re.MULTILINE)
    assert len(quoted) > 10
    for number, text in quoted:
        assert linecache.getline(__file__, int(number)).strip() == text


def test_both_sweeps_quote_each_line_that_takes_part():
    source = grad(long_body).source_for(0.5, 3)
    forward, reverse = source.split("# -- reverse")
    for part in (forward, reverse):
        for text in ("y = math.sin(y) * x", "y = y * x + x**k", "y = -y", "for k in range(n):"):
            assert f": {text}" in part


@pytest.mark.parametrize("filename", ["C:\\Users\\new\\N.py", 'a"""b.py', 'ends with "', "ends with \\"])
def test_any_file_name_may_stand_in_the_docstring(filename):
    text = "def f(x):\n    return x * 2.0\n"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    names: dict = {}
    exec(compile(text, filename, "exec"), names)  # noqa: S102
    df = grad(names["f"])
    assert df(1.0) == 2.0
    assert filename in inspect.getdoc(df._latest.module["f_grad"])


@pytest.mark.parametrize("key", ["a\\N", 'a"""b', "\\", '"'])
def test_any_key_may_stand_in_the_docstring(key):
    assert grad(lambda table: table[key] * 2.0)({key: 1.0}) == {key: 2.0}


def test_a_file_without_text_is_emitted_without_comments():
    printer = Printer("<nowhere>")
    printer.function("f", ["x"], "Doc.", [("", ast.parse("y = x").body)], "<nowhere>")
    assert "#" not in printer.text()
