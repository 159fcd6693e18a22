"""Makes a customer's statement as a PDF, in the partner's own formats and with its logo."""

from portal import clock, formatters
from portal.models import Customer, Tenant
from portal.people import logo
from portal.queries.statement import Statement
from portal.storage import StorageFailed

# Lines that one PDF holds: about 50 pages, and five seconds of work.
MOST = 2_000
SHORTER = "Choose a shorter period."


class CannotMake(ValueError):
    """There is no PDF of it; str() says why, and what to do."""


def statement_pdf(partner: Tenant, customer: Customer, asked: Statement) -> bytes:
    """The statement's PDF. Raises CannotMake. Where the storage is away it has the partner's name and no logo.

    It is drawn after the transaction, which takes seconds and holds no connection.
    """
    from portal.paper import statement as paper  # slow to import, and most processes never make a PDF

    sums = asked.sums()
    with formatters.written_for(partner):
        if (lines := sum(one.entries for one in sums)) > MOST:
            raise CannotMake(
                f"This statement has {formatters.count(lines)} lines, and a PDF holds {formatters.count(MOST)}. "
                + (
                    SHORTER
                    if asked.span
                    else "The page and the API tell all of what is open; a period has a PDF of its own."
                )
            )
        rows = asked.every()
        return paper.pdf(
            paper.Paper(
                partner.name, _logo(partner), customer.name, customer.address, customer.number, asked.span,
                asked.today, clock.now(), sums, rows,
                "Letter" if partner.date_format == "month_day_year" else "A4",
            )
        )  # fmt: skip


def file_name(customer: Customer, asked: Statement) -> str:
    days = f"{asked.span.first} to {asked.span.last}" if asked.span else f"open on {asked.today}"
    return f"Statement {customer.name[:80].replace('/', '-')}, {days}.pdf"


def _logo(partner: Tenant) -> bytes | None:
    try:
        return logo.of(partner)
    except StorageFailed:
        return None
