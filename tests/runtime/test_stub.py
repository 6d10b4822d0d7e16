"""`myia/_runtime.pyi`, which is written by hand, names what the compiled module has."""

from __future__ import annotations

import ast
from pathlib import Path

import myia
import myia._runtime as native

STUB = ast.parse((Path(myia.__file__).parent / "_runtime.pyi").read_text())
TYPES_ONLY = {"MemoryStats", "Counts"}


def test_the_stub_names_what_the_module_has():
    names = set()
    for node in STUB.body:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.AnnAssign(ast.Name(name)):
                names.add(name)
    assert names - TYPES_ONLY == {name for name in dir(native) if not name.startswith("__")}


def test_the_stub_names_the_statistics():
    for node in STUB.body:
        if isinstance(node, ast.ClassDef) and node.name == "MemoryStats":
            fields = {s.target.id for s in node.body if isinstance(s, ast.AnnAssign)}
            assert fields == set(native.memory_stats())
