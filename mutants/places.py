"""Where a module can be broken: each place of its syntax tree with what stands there instead. Docstrings and types stay."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
REVERSED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
IS_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|WHERE|EXISTS|coalesce|IS NULL|IS NOT NULL|IS DISTINCT FROM)\b")
IN_SQL = [
    (r"\bIS NOT NULL\b", "IS NULL"), (r"\bIS NULL\b", "IS NOT NULL"), (r"\bNOT EXISTS\b", "EXISTS"),
    (r"(?<!NOT )\bEXISTS\b", "NOT EXISTS"), (r"\bAND\b(?! :\w+ *$)", "OR"), (r"\bOR\b", "AND"), (r" <= ", " < "), (r" < ", " <= "),
    (r" >= ", " > "), (r" > ", " >= "), (r" <> ", " = "), (r"(?<=WHERE )(\S+) = ", r"\1 <> "), (r"(?<=AND )(\S+) = ", r"\1 <> "),
    (r"(?<=OR )(\S+) = ", r"\1 <> "), (r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"), (r"\bmin\(", "max("),
    (r"\bmax\(", "min("), (r"\bgreatest\(", "least("), (r"\bleast\(", "greatest("), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r" FOR UPDATE(?! SKIP)[^;\n]*", ""), (r" \+ ", " - "), (r"\bORDER BY (\S+)(?= |$|\n)", r"ORDER BY \1 DESC"),
]  # fmt: skip


@dataclass
class Place:
    """One break: `outer` is the function or statement at the module's or a class's level that holds it."""

    number: int
    line: int
    what: str
    outer: ast.stmt


def broken(source: str, number: int) -> ast.Module:
    """The module's tree with the break of this number made."""
    tree = ast.parse(source)
    for place, node, field, index, new in _all(tree):
        if place.number == number:
            if index is None:
                setattr(node, field, new)
            else:
                getattr(node, field)[index] = new
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def places(source: str) -> list[Place]:
    """All that can be broken, in the order of the source."""
    return [place for place, *_ in _all(ast.parse(source))]


def users(source: str, place: Place) -> set[tuple[str, int]]:
    """Name and first line of the functions that run what is broken; of a value, those that name it, by others too."""
    if isinstance(place.outer, ast.FunctionDef):
        return {_place_of(place.outer)}
    wanted, body = _targets(place.outer), ast.parse(source).body
    while more := {
        name
        for one in body
        if isinstance(one, ast.Assign) and wanted & _named(one.value)
        for name in _targets(one) - wanted
    }:
        wanted |= more
    outers = (one for one in _outers(ast.parse(source)) if isinstance(one, ast.FunctionDef))
    return {_place_of(one) for one in outers if wanted & _named(one)}


def _place_of(one: ast.FunctionDef) -> tuple[str, int]:
    return one.name, min([one.lineno, *(decorator.lineno for decorator in one.decorator_list)])


def _targets(one: ast.stmt) -> set[str]:
    return {name for target in getattr(one, "targets", []) for name in _named(target)}


def _named(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _all(tree: ast.Module) -> Iterator[tuple[Place, ast.AST, str, int | None, ast.AST]]:
    number = 0
    for outer in _outers(tree):
        for node, field, index, child in _children(outer):
            for new in _instead(child, node):
                what = _difference(_short(child), _short(new))
                yield (
                    Place(number, getattr(child, "lineno", outer.lineno), what, outer),
                    node,
                    field,
                    index,
                    new,
                )
                number += 1


def _outers(body: ast.Module | ast.ClassDef) -> Iterator[ast.stmt]:
    """Functions, methods, and assignments of the module; what a class only declares is left alone."""
    for statement in body.body:
        if isinstance(statement, ast.ClassDef):
            yield from _outers(statement)
        elif isinstance(statement, ast.FunctionDef) or (
            isinstance(body, ast.Module) and isinstance(statement, ast.Assign)
        ):
            yield statement


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params") or isinstance(
            node, ast.Import | ast.ImportFrom
        ):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not _is_docstring(node, field, index, child):
                yield node, field, index if isinstance(value, list) else None, child
                yield from _children(child)


def _is_docstring(node: ast.AST, field: str, index: int, child: ast.AST) -> bool:
    first = isinstance(node, ast.FunctionDef) and field == "body" and index == 0
    return first and isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)


def _instead(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    """What stands in this node's place, one after the other."""
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                for other in filter(None, (COMPARED.get(type(op)), REVERSED.get(type(op)))):
                    new = copy.deepcopy(node)
                    new.ops[at] = other()
                    yield new
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in CALCULATED:
            yield _with(node, op=CALCULATED[type(op)]())
        case ast.Constant():
            yield from _constants(node, parent)
        case ast.If() | ast.IfExp() | ast.While() if isinstance(
            node.test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr
        ):
            yield _with(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield _with(node, value=ast.Constant(None))
        case (
            ast.Expr(value=ast.Call() | ast.Await())
            | ast.Raise()
            | ast.Continue()
            | ast.Break()
            | ast.AugAssign()
        ):
            yield ast.copy_location(ast.Pass(), node)
        case ast.Call(func=ast.Name(id="replace"), keywords=keywords):
            for at in range(len(keywords)):
                yield _with(node, keywords=[*keywords[:at], *keywords[at + 1 :]])


def _constants(node: ast.Constant, parent: ast.AST) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield _with(node, value=not value)
    elif isinstance(value, int | float):
        yield _with(node, value=value + 1)
    elif isinstance(value, str) and IS_SQL.search(value):
        for pattern, instead in IN_SQL:
            for found in re.finditer(pattern, value):
                yield _with(node, value=value[: found.start()] + found.expand(instead) + value[found.end() :])
    elif (
        isinstance(value, str) and re.fullmatch(r"[\w./:-]+", value) and not isinstance(parent, ast.JoinedStr)
    ):
        yield _with(node, value=f"{value}x")


def _with(node: Any, **values: object) -> Any:
    new = copy.copy(node)
    for name, value in values.items():
        setattr(new, name, value)
    return new


def _short(node: ast.AST) -> str:
    try:
        said = ast.unparse(node)
    except (ValueError, AttributeError):
        said = ast.dump(node)
    return " ".join(said.split())


def _difference(old: str, new: str) -> str:
    """Of long texts only what differs, with a little of what stands around it."""
    if max(len(old), len(new)) < 120:
        return f"{old}  ->  {new}"
    start = next(at for at in range(len(old) + 1) if old[at : at + 1] != new[at : at + 1])
    end = next(
        at
        for at in range(1, len(old) + 2)
        if old[-at:][:1] != new[-at:][:1] or at > min(len(old), len(new)) - start
    )
    around = max(0, start - 50)
    return f"…{old[around : len(old) - end + 31]}…  ->  …{new[around : len(new) - end + 31]}…"
