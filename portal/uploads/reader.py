"""Reads the rows of one invoice; what is wrong with them is told to its draft."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portal.money import AmountError
from portal.payments import written_days
from portal.uploads import written
from portal.uploads.choice import Choice
from portal.uploads.drafts import Cells, Draft


@dataclass
class Reader:
    choice: Choice
    rows: Sequence[Cells]
    draft: Draft = field(default_factory=lambda: Draft(0, 0))

    def same(self, name: str) -> str:
        """What all its rows say, but those that leave it empty."""
        said = list(dict.fromkeys(cell for cells in self.rows if (cell := self.choice.cell(name, cells))))
        if len(said) > 1:
            self.draft.refuse(name, f"Its rows differ: “{said[0][:40]}” and “{said[1][:40]}”.")
        return said[0] if said else ""

    def day(self, name: str, words: str, *, needed: bool = False) -> str | None:
        if not words and not needed:
            return None
        found = written.day(words, self.choice.order)
        if found is None:
            sentence = written_days.refusal(words[:40], self.choice.order)
            self.draft.refuse(name, sentence.replace("beside the file", "beside the columns"))
        return found.isoformat() if found else None

    def amount(self, name: str, words: str) -> Decimal | None:
        """None for an empty cell, and for one that is no amount."""
        if not words:
            return None
        try:
            return written.amount(words, self.choice.numbers)
        except AmountError as error:
            self.draft.refuse(name, str(error))
            return None
