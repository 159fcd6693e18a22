"""The rows of one record of a file as the JSON that the API takes, so that the API's rules read it (forms/api_records)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.forms import api_records
from portal.forms.api_body import BadBody
from portal.imports.outcome import Refusal
from portal.models import ImportKind
from portal.uploads import written
from portal.uploads.choice import Choice

Cells = Sequence[str]
SUMS = ("total", "tax")
ADDRESS = ("street", "street2", "city", "region", "postal_code", "country")


@dataclass
class Draft:
    """One record as its file has it. `place` and `rows` say where it stands; `key` is how it is named there."""

    place: int
    rows: int
    key: str = ""
    label: str = ""
    customer: str = ""
    sent: dict[str, Any] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    is_nothing: bool = False
    is_judged: bool = False

    def refuse(self, name: str, sentence: str) -> None:
        if not self.is_judged and Refusal(name, sentence) not in self.refusals:
            self.refusals.append(Refusal(name, sentence))

    def refuse_whole(self, sentence: str) -> None:
        """It is none that is taken: whatever else may be wrong with it does not matter."""
        self.refuse("", sentence)
        self.is_judged = True

    def is_refused(self, *names: str) -> bool:
        """Whether one of these fields, or a part of it, was refused."""
        return any(f"{one.field}/".startswith(f"{name}/") for one in self.refusals for name in names)

    def take_over(self, faults: Sequence[str]) -> None:
        for fault in filter(None, faults):
            self.refuse("", fault)

    def read(self, kind: ImportKind, external_id: str) -> Any:
        """What is given; None where it cannot be read, which its refusals tell."""
        if api_records.external_id(external_id) is None:
            if not self.is_refused("number", "name"):
                self.refuse("external_id", f"It must have 1 to {api_records.LONGEST_NAME} characters.")
            return None
        reader = api_records.customer if kind == ImportKind.CUSTOMERS else api_records.invoice
        try:
            return reader(external_id, self.sent)
        except BadBody as error:
            found = [(fault.pointer.removeprefix("/"), fault.detail) for fault in error.faults]
            for name, sentence in [one for one in found if not self._is_told(one[0])]:
                self.refuse(name, sentence)
            return None

    def _is_told(self, name: str) -> bool:
        """What one amount is, is a consequence where another cannot be read."""
        return self.is_refused(name) or (name in SUMS and self.is_refused("lines", *SUMS))


def customer(place: int, rows: Sequence[Cells], choice: Choice, faults: Sequence[str]) -> Draft:
    cells = rows[0]
    name = choice.cell("name", cells)
    found = Draft(place, len(rows), choice.cell("external_id", cells) or name, name)
    found.take_over(faults)
    if len(rows) > 1:
        found.refuse("", f"It stands in {len(rows)} rows of this file.")
    if not name and sum(bool(cell.strip()) for cell in cells) <= 1:
        found.is_nothing = True
    found.sent = {
        "name": name,
        "currency": choice.cell("currency", cells).upper(),
        "number": choice.cell("number", cells),
        "phone": choice.cell("phone", cells),
        "address": "\n".join(part for one in ADDRESS if (part := choice.cell(one, cells))),
    }
    for flag in ("active", "tax_exempt"):
        words = choice.cell(flag, cells)
        if words or flag == "tax_exempt":
            value = written.flag(words)
            found.sent[flag] = value
            if value is None:
                found.refuse(flag, f"“{words[:40]}” is neither yes nor no.")
    if not name:
        found.refuse("name", "The name is missing.")
    return found
