"""A customer's statement as PDF pages: the partner's name and logo, sums, then line by line with what is carried on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from portal.formatters import amount, day, how_paid, plural
from portal.paper import letters
from portal.paper.sheet import Sheet
from portal.queries.statement_period import Span
from portal.queries.statement_rows import Entry, Open, OpenSums, PeriodSums

ROW, HEAD = 6.0, 7.0
MONEY = 32.0
LOGO_WIDTH, LOGO_HEIGHT = 54.0, 18.0


@dataclass(frozen=True)
class Paper:
    """What is drawn. Without a span it tells what is open on `today`."""

    partner: str
    logo: bytes | None
    customer: str
    address: str
    number: str
    span: Span | None
    today: date
    written_at: datetime
    sums: Sequence[PeriodSums] | Sequence[OpenSums]
    rows: Sequence[Entry | Open]
    paper: str = "A4"

    @property
    def title(self) -> str:
        if self.span is None:
            return f"Open on {day(self.today)}"
        if self.span.is_from_the_beginning:
            return f"Up to {day(self.span.last)}"
        return f"{day(self.span.first)} to {day(self.span.last)}"


def pdf(paper: Paper) -> bytes:
    """The same paper gives the same bytes. The partner's formats of numbers and days are those of the request."""
    with letters.font_files() as files:
        sheet = Sheet(
            paper.paper, f"Statement, {paper.customer}", f"{paper.partner}: statement for {paper.customer}",
            paper.written_at, files,
        )  # fmt: skip
        sheet.add_page()
        _head(sheet, paper)
        for sums in paper.sums:
            _Currency(sheet, paper, sums).draw([row for row in paper.rows if row.currency == sums.currency])
        if not paper.sums:
            sheet.looks(10)
            words = "Nothing is open." if paper.span is None else "Nothing happened, and nothing is owed."
            sheet.put(sheet.epw, ROW, words)
        _tell_what_is_missing(sheet)
        return bytes(sheet.output())


def _head(sheet: Sheet, paper: Paper) -> None:
    top, left = sheet.get_y(), 0.0
    if paper.logo:
        left = sheet.picture(paper.logo, LOGO_WIDTH, LOGO_HEIGHT) + 3
        sheet.set_y(top + left)
    sheet.looks(10 if paper.logo else 15, bold=True)
    sheet.put(sheet.epw * 0.6, 6, sheet.shortened(sheet.said(paper.partner), sheet.epw * 0.6))
    bottom = sheet.get_y() + 6
    sheet.set_y(top)
    sheet.looks(18, bold=True)
    sheet.put(sheet.epw, 8, "Statement", "R", ends_line=True)
    sheet.looks(9, grey=True)
    sheet.put(sheet.epw, 5, paper.title, "R", ends_line=True)
    if paper.span is not None:
        written = f"As the books stood on {day(paper.today)}"
        sheet.put(sheet.epw, 5, written, "R", ends_line=True)
    sheet.set_y(max(sheet.get_y(), bottom) + 8)
    _customer(sheet, paper)
    sheet.ln(6)


def _customer(sheet: Sheet, paper: Paper) -> None:
    sheet.looks(11, bold=True)
    sheet.paragraph(5.5, sheet.said(paper.customer))
    lines = [line for line in paper.address.splitlines() if line.strip()]
    if paper.number:
        lines.append(f"Customer number {paper.number}")
    sheet.looks(9, grey=True)
    for line in lines:
        text = sheet.shortened(sheet.said(line), sheet.epw)
        sheet.put(sheet.epw, 4.6, text, ends_line=True)


def _tell_what_is_missing(sheet: Sheet) -> None:
    words = []
    if sheet.spelled:
        words.append("Letters of scripts that this paper cannot draw are spelled in Latin ones.")
    if sheet.undrawn:
        verb = "stands" if sheet.undrawn == 1 else "stand"
        words.append(f"{plural(sheet.undrawn, 'letter')} that it cannot spell {verb} as {letters.MISSING}.")
    if not words:
        return
    if sheet.room < 14:
        sheet.add_page()
    sheet.ln(4)
    sheet.looks(8, grey=True)
    sheet.paragraph(4.2, " ".join([*words, "The portal shows all of them as they are."]))


class _Currency:
    """The part of one currency: its sums, then its lines over as many pages as they need."""

    def __init__(self, sheet: Sheet, paper: Paper, sums: PeriodSums | OpenSums) -> None:
        self.sheet, self.paper, self.sums, self.currency = sheet, paper, sums, sums.currency
        self.words = sheet.epw - 2 * MONEY - 26

    def draw(self, rows: Sequence[Entry | Open]) -> None:
        parts = [*self.sums.parts, (self.sums.last, self.sums.closing)]
        if self.sheet.room < (len(parts) + 2) * ROW + HEAD + 3 * ROW:
            self.sheet.add_page()
        self._summed(parts)
        self._columns()
        if isinstance(self.sums, PeriodSums):
            self._line("", "Opening balance", "", "", self._money(self.sums.opening), bold=True)
        carried = None
        for row in rows:
            carried = self._row(row, carried)
        self._last()
        self.sheet.ln(9)

    def _summed(self, parts: Sequence[tuple[str, Decimal]]) -> None:
        sheet = self.sheet
        sheet.looks(11, bold=True)
        sheet.put(sheet.epw, 7, f"All amounts in {self.currency}", ends_line=True)
        for place, (words, value) in enumerate(parts, 1):
            last = place == len(parts)
            if last:
                sheet.line(dark=True)
            sheet.looks(10 if last else 9, bold=last)
            sheet.put(sheet.epw - 40, ROW, words)
            sheet.put(40, ROW, self._money(value), "R", ends_line=True)
        sheet.ln(5)

    def _columns(self) -> None:
        names = ("Invoice", "Amount", "Balance") if self.paper.span else ("Invoice", "Amount", "Open")
        first = "What" if self.paper.span else names[0]
        self.sheet.looks(8, bold=True, grey=True)
        for name, width, align in (
            ("Day", 26, "L"), (first, self.words, "L"), (names[1], MONEY, "R"), (names[2], MONEY, "R"),
        ):  # fmt: skip
            self.sheet.put(width, HEAD, name, align)
        self.sheet.ln(HEAD)
        self.sheet.line(dark=True)

    def _row(self, row: Entry | Open, carried: str | None) -> str:
        if self.sheet.room < 2 * ROW:
            self._turn(carried)
        if isinstance(row, Entry):
            what, aside, after = row.kind.words, _entry_words(row), row.balance
        else:
            what, aside, after = row.number, _open_words(row), row.open_amount
        self._line(day(row.on_day), what, aside, self._money(row.amount), self._money(after))
        return self._money(row.carried)

    def _turn(self, carried: str | None) -> None:
        """On to the next page, with the sum so far at the foot of this one and at the top of that."""
        if carried is not None:
            self._line("", "Carried forward", "", "", carried, bold=True)
        self.sheet.add_page()
        self.sheet.looks(9, bold=True)
        self.sheet.put(self.sheet.epw, 6, f"Amounts in {self.currency}", ends_line=True)
        self._columns()
        if carried is not None:
            self._line("", "Brought forward", "", "", carried, bold=True)

    def _last(self) -> None:
        if self.sheet.room < ROW:
            self._turn(None)
        self.sheet.line(dark=True)
        self._line("", self.sums.last, "", "", self._money(self.sums.closing), bold=True)

    def _line(self, on: str, what: str, aside: str, value: str, after: str, *, bold: bool = False) -> None:
        sheet = self.sheet
        sheet.looks(9, bold=bold)
        sheet.put(26, ROW, on)
        text = sheet.shortened(sheet.said(what), self.words * (0.5 if aside else 1))
        used = min(sheet.get_string_width(text) + 2.5, self.words)
        sheet.put(used, ROW, text)
        sheet.looks(8, grey=True)
        sheet.put(self.words - used, ROW, sheet.shortened(sheet.said(aside), self.words - used - 2))
        sheet.looks(9, bold=bold)
        sheet.put(MONEY, ROW, value, "R")
        sheet.put(MONEY, ROW, after, "R", ends_line=True)
        sheet.line()

    def _money(self, value: Decimal) -> str:
        return amount(value, self.currency)


def _entry_words(row: Entry) -> str:
    """What stands beside an entry: its invoice, when that is due, how it was paid."""
    if row.kind.has_invoice:
        return f"{row.number}, due {day(row.due_on)}" if row.due_on else row.number
    about = f"for {row.number}" if row.of_one else f"for {plural(row.invoices, 'invoice')}"
    how = how_paid(row.method) if row.method else ""
    return ", ".join(part for part in (about, how, row.reference) if part)


def _open_words(row: Open) -> str:
    if row.is_left_over:
        return "credit left"
    due = f"due {day(row.due_on)}" if row.due_on else ""
    return f"{due}, {plural(row.days_late, 'day')} late" if row.days_late else due
