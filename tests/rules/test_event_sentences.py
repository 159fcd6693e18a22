"""Every kind of event that is written anywhere has a sentence that names what it is about."""

import ast
import re
from enum import StrEnum
from pathlib import Path

from portal import models
from portal.autotask.filters import SyncFilters
from portal.forms.api_records import OF_CUSTOMER
from portal.imports import invoices
from portal.models import AuditEvent
from portal.people import partner
from portal.queries import event_details, import_words, staff_events
from portal.queries.event_labels import BEFORE_AND_AFTER, LABELS, VALUES
from portal.queries.event_records import Records
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


# Details whose values are one of a few words of the code.
ENUMS: dict[str, list[type[StrEnum]]] = {
    "method": [models.PaymentMethod],
    "mode": [models.VisitMode],
    "trigger": [models.SyncTrigger],
    "identifier": [models.Identifier],
    "totals_mode": [models.TotalsMode],
    "role": [models.Role, models.IntegrationRole],
    "support_access": [models.SupportAccess],
}
MACHINE = re.compile(r"\b[a-z]+_[a-z_]+\b|https?://|\bslug\b|\bzone url\b", re.IGNORECASE)


def detail_names(source: str) -> set[str]:
    """The names of the details that a module gives to its events."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and is_record(node)]
    return {word.arg for call in calls for word in call.keywords if word.arg}


def all_detail_names() -> set[str]:
    found = {"zone_url", "database_number", "error_kind", "some_new_thing"}
    for path in [*(ROOT / "portal").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]:
        if "audit.record(" in path.read_text():
            found |= detail_names(path.read_text())
    return found


def told(event: str, details: dict[str, object]) -> list[str]:
    return event_details.lines(AuditEvent(event=event, details=details), Records())


def test_no_detail_of_an_event_shows_a_key_or_a_word_of_the_code(app) -> None:
    """Whatever is written, with every word of the code that it can hold."""
    names = all_detail_names()
    assert len(names) > 20
    with app.test_request_context():
        for name in names | set(LABELS):
            values = [value.value for kind in ENUMS.get(name, []) for value in kind] or ["something"]
            for value in values:
                for line in told("stamp.licked", {name: value}):
                    assert not MACHINE.search(line), line
                    assert not line.endswith(f": {value}") or value not in _coded(name), line
        for event, name in BEFORE_AND_AFTER.items():
            values = [value.value for kind in ENUMS.get(name, []) for value in kind]
            for value in values:
                assert not MACHINE.search(" ".join(told(event, {"before": value, "after": value})))


def _coded(name: str) -> set[str]:
    """Values that mean something else to a person than they say."""
    return {
        value.value
        for kind in ENUMS.get(name, [])
        for value in kind
        if VALUES[name][value.value] != value.value
    }


def test_every_word_of_the_code_that_a_detail_can_hold_has_one_of_the_product() -> None:
    for name, kinds in ENUMS.items():
        assert {value.value for kind in kinds for value in kind} <= set(VALUES[name]), name


def test_what_a_partner_changes_of_itself_and_its_filters_has_a_label() -> None:
    assert set(partner.FIELDS) | set(SyncFilters().to_dict()) <= set(LABELS)


def test_what_a_billing_system_changes_of_customers_and_invoices_has_a_label() -> None:
    names = {*OF_CUSTOMER, *invoices.TOLD.values(), "lines"}
    assert names <= set(LABELS)
    assert names == set(import_words.ORDER)


def test_why_somebody_was_logged_out_everywhere_has_a_label() -> None:
    """They said “This was not me”."""
    assert "because" in LABELS


def test_a_key_that_nobody_gave_a_word_is_not_shown(app) -> None:
    with app.test_request_context():
        assert told("stamp.licked", {"zone_url": "http://x", "some_new_thing": "a_b"}) == []
