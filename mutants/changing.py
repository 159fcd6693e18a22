"""Puts a broken place into the modules that are loaded already: new code in the functions, new values under the names."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mutants.places import Place

SAME = object()


class Unbreakable(Exception):
    """The place is in nothing that can be exchanged in a running process."""


def put_in(module: ModuleType, tree: ast.Module, place: Place) -> None:
    """Raises Unbreakable."""
    if isinstance(place.outer, ast.FunctionDef):
        _exchange_code(str(module.__file__), tree, place.outer)
    else:
        _exchange_values(module, tree)


def _exchange_code(path: str, tree: ast.Module, outer: ast.FunctionDef) -> None:
    gc.unfreeze()  # what is frozen is in no list
    line = min([outer.lineno, *(one.lineno for one in outer.decorator_list)])
    new = next((one for one in _codes(compile(tree, path, "exec")) if _is(one, outer.name, line)), None)
    found = [
        one
        for one in gc.get_objects()
        if isinstance(one, FunctionType)
        and one.__code__.co_filename == path
        and _is(one.__code__, outer.name, line)
    ]
    if new is None or not found:
        raise Unbreakable
    for one in found:
        one.__code__ = new


def _is(code: CodeType, name: str, line: int) -> bool:
    return code.co_name == name and code.co_firstlineno == line


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def _exchange_values(module: ModuleType, tree: ast.Module) -> None:
    """Assignments are made anew, in their order; whoever imported a value that is another now gets the new one."""
    names = dict(vars(module))
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            exec(compile(ast.Module([statement], []), str(module.__file__), "exec"), names)
    changed = {
        name: (old, names[name])
        for name, old in vars(module).items()
        if names[name] is not old and _said(names[name]) != _said(old)
    }
    if not changed:
        raise Unbreakable
    for loaded in [one for one in sys.modules.values() if isinstance(one, ModuleType)]:
        for name, (old, new) in changed.items():
            if vars(loaded).get(name, SAME) is old:
                setattr(loaded, name, new)


def _said(value: Any) -> str:
    return (
        f"{type(value).__name__} {value!s} {value!r}"
        if "TextClause" not in type(value).__name__
        else str(value)
    )


def module_of(name: str) -> tuple[str, Path]:
    """The module's dotted name and file, of a name such as `access/tenancy`."""
    return f"portal.{name.replace('/', '.')}", Path("portal") / f"{name}.py"
