"""Every kind of event that is written anywhere has a sentence that names what it is about."""

import ast
import re
from pathlib import Path

from portal.queries import staff_events
from portal.queries.event_words import SENTENCES

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
NO_EVENT = re.compile(r"^(portal|jobs|templates|settings|invoices\.show)\.|\.(html|csv|js|pdf|url)$")


def written(source: str) -> set[str]:
    """The names of the events that a module writes: where a variable holds one, every name that it could hold."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_record(node)]
    names = [call.args[1] for call in calls if len(call.args) > 1]
    found = {one.value for one in names if isinstance(one, ast.Constant)}
    if len(found) < len({ast.dump(one) for one in names}):
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        found |= {text for text in texts if isinstance(text, str) and is_event(text)}
    assert not any(isinstance(one, ast.JoinedStr) for one in names), (
        "a name that is put together cannot be found"
    )
    return {str(name) for name in found}


def is_record(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "audit.record"


def is_event(text: str) -> bool:
    return bool(NAME.fullmatch(text)) and not NO_EVENT.search(text)


def test_every_event_has_a_sentence_and_no_sentence_is_left_over() -> None:
    found: dict[str, Path] = {}
    for path in [*(ROOT / "portal").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]:
        source = path.read_text()
        if "audit.record(" in source:
            found |= dict.fromkeys(written(source), path)
    assert len(found) > 30
    assert {name: str(path) for name, path in found.items() if name not in SENTENCES} == {}
    assert sorted(set(SENTENCES) - set(found)) == []


def test_a_name_in_a_variable_or_a_new_one_is_found() -> None:
    assert written('audit.record(actor, "stamp.licked", "stamp", 1)') == {"stamp.licked"}
    assert written('E = "stamp.torn"\naudit.record(actor, E, "stamp", 1)') == {"stamp.torn"}


def test_every_event_of_staff_has_a_sentence_and_no_sentence_is_left_over() -> None:
    found: set[str] = set()
    for path in (ROOT / "portal").rglob("*.py"):
        source = path.read_text()
        if "staff_log.record(" in source:
            found |= written(
                source.replace("audit.record(", "other.record(").replace("staff_log.record(", "audit.record(")
            )
    assert {name for name in found if name not in staff_events.SENTENCES} == set()
    assert set(staff_events.SENTENCES) - found == set()
