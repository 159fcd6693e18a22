"""What imports tell of fields, values and reasons, in the words of pages: stored they are the API's."""

from collections.abc import Mapping, Sequence

from portal import formatters
from portal.queries.event_labels import LABELS, meaning

DAYS = {"issued_on", "due_on"}
ORDER = (
    "number", "name", "customer", "currency", "issued_on", "due_on", "lines", "net", "tax", "total", "order_number",
    "comments", "phone", "address", "tax_exempt", "active", "voided",
)  # fmt: skip


def field(pointer: str) -> str:
    """`due_on` as “Due on”, `lines/0/amount` as “Line 1, amount”; “Record” for a record as a whole."""
    name, _, rest = pointer.partition("/")
    place, _, of_line = rest.partition("/")
    if name == "lines" and place.isdecimal():
        line = f"Line {formatters.count(int(place) + 1)}"
        return f"{line}, {field(of_line)[0].lower()}{field(of_line)[1:]}" if of_line else line
    return LABELS.get(name) or name.replace("_", " ").capitalize() or "Record"


def value(name: str, text: str) -> str:
    """Days and amounts as the partner writes them, other text as it is; a dash for none."""
    return (formatters.kept(text) if name in DAYS else str(meaning(name, text))) or formatters.NOTHING


def in_order(changes: Mapping[str, Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    """Changes as a person reads an invoice or a customer from its head; what is not known comes last."""
    places = {name: place for place, name in enumerate(ORDER)}
    return sorted(changes.items(), key=lambda change: places.get(change[0], len(ORDER)))


def sentence(reason: str) -> str:
    named = LABELS["external_id"]
    return reason.replace("external_id", f"{named[0].lower()}{named[1:]}")
