"""Whatever ends a person's sessions, or changes how they log in or what they may do, writes a security event."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = {"user", "true_user", "member", "membership"}
CHANGES = {"role", "password_hash", "email", "disabled_at", "second_factor_at"}
TELLS = {"security_events.record", "security_events.tell"}


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def calls(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            yield ast.unparse(one.func)


def changes(node: ast.FunctionDef) -> set[str]:
    """What the function does to a login: `sessions.end_all`, or a change of one of CHANGES."""
    found = {name for name in calls(node) if name == "sessions.end_all"}
    for one in ast.walk(node):
        for target in one.targets if isinstance(one, ast.Assign) else ():
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute) and part.attr in CHANGES:
                    owner = ast.unparse(part.value).rpartition(".")[2]
                    found |= {f"{owner}.{part.attr}"} if owner in PEOPLE else set()
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "db.session.delete":
            found |= {f"delete({name})" for name in map(ast.unparse, one.args) if name in PEOPLE | {"factor"}}
    return found


def silent(source: str) -> dict[str, set[str]]:
    """The functions that change a login and tell nobody: not they, nor what they call, nor all who call them."""
    known = functions(ast.parse(source))
    calling = {name: set(calls(node)) for name, node in known.items()}
    telling = {name for name, called in calling.items() if called & TELLS}
    for _ in known:
        telling |= {name for name, called in calling.items() if called & telling}
    found = {}
    for name, node in known.items():
        callers = {other for other, called in calling.items() if name in called}
        if (changed := changes(node)) and name not in telling and not (callers and callers <= telling):
            found[name] = changed
    return found


def test_whatever_changes_a_login_tells_the_person() -> None:
    found, seen = {}, 0
    for path in sorted((ROOT / "portal").rglob("*.py")):
        source, place = path.read_text(), str(path.relative_to(ROOT))
        seen += sum(bool(changes(node)) for node in functions(ast.parse(source)).values())
        found |= {f"{place}: {name}": what for name, what in silent(source).items()}
    assert seen >= 10
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "sessions.end_all(user.id)",
        "member.role = 'reader'",
        "before, member.role = member.role, 'reader'",
        "g.true_user.password_hash = 'x'",
        "user.disabled_at = None",
        "db.session.delete(member)",
    ],
)
def test_one_that_tells_nobody_is_found(line: str) -> None:
    assert list(silent(f"def change(user, member):\n    {line}\n")) == ["change"]
    assert not silent(f"def change(user, member):\n    {line}\n    security_events.tell(user, 'x')\n")
    assert list(silent(f"def a():\n    b()\n\ndef b():\n    {line}\n")) == ["b"]
    assert not silent(f"def a():\n    b()\n    security_events.record(user, 'x')\n\ndef b():\n    {line}\n")
