"""What each kind of run does, in which order. Every part takes up where its checkpoint left off."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from portal.autotask import filters
from portal.autotask.client import Client
from portal.autotask.filters import Condition
from portal.connect.slots import held_if_free
from portal.models import SyncKind, SyncTrigger
from portal.sync import (
    currencies,
    cursors,
    customers,
    filter_choices,
    lines,
    matching,
    missing,
    pdfs,
    read_pages,
    reread,
    whereabouts,
)
from portal.sync.current_run import Running
from portal.sync.cursors import Cursor
from portal.sync.resources import CONTACTS, CUSTOMERS, INVOICES, LINES
from portal.sync.task import Task

MODIFIED = {"Companies": "lastTrackedModifiedDateTime", "Contacts": "lastModifiedDate"}
# Paid dates have no time of day, and a bookkeeper may set yesterday's. Whether the date of a void has one is undocumented.
DAYS_BACK = timedelta(days=1)

NOBODY = -1

Plan = Callable[[Running, Client], None]


def everything(running: Running, client: Client) -> None:
    """All customers, contacts, invoices and lines; whatever is here and not there gets its mark."""
    if running.checkpoint.all_lines is None:
        running.checkpoint.all_lines = running.task.filters.empty
    if running.checkpoint.counts is None:
        cursors.forget(running.task.integration.id, "lines")
        running.clock.look()
    read_pages.count_all(running, client, _wanted(running.task, all_lines=bool(running.checkpoint.all_lines)))
    people(running, client, {})
    conditions = _invoice_conditions(running.task)
    step = read_pages.read(running, client, "invoices", INVOICES, conditions, complete=True)
    read_pages.check_count(running, client, step, INVOICES, conditions)
    missing.judge(running, client, step, INVOICES)
    all_lines(running, client)


def _wanted(task: Task, *, all_lines: bool) -> list[tuple[str, list[Condition]]]:
    wanted = [
        ("Companies", filters.customer_conditions(task.filters)),
        ("Contacts", filters.contact_conditions(task.filters)),
        ("Invoices", _invoice_conditions(task)),
    ]
    return [*wanted, ("BillingItems", [lines.ON_INVOICES])] if all_lines else wanted


def _invoice_conditions(task: Task) -> list[Condition]:
    """The invoice filters, and the customers' ids where few enough are inside to name them."""
    conditions = filters.invoice_conditions(task.filters, task.tenant.time_zone)
    few = customers.few_inside(task)
    return conditions if few is None else [*conditions, filters.any_value("companyID", few or [NOBODY])]


def all_lines(running: Running, client: Client) -> None:
    if running.checkpoint.all_lines:
        step = read_pages.read(running, client, "lines", LINES, [lines.ON_INVOICES])
        if not step.ended:
            lines.after_the_last(running)
            step.ended = True
            running.save()
    else:
        lines.ask_all_again(running)
    lines.of_invoices(running, client)


def people(running: Running, client: Client, held: Mapping[str, Cursor]) -> None:
    """Customers and their contacts, all of them or those modified since their cursors."""
    for name, resource, conditions in (
        ("customers", CUSTOMERS, filters.customer_conditions(running.task.filters)),
        ("contacts", CONTACTS, filters.contact_conditions(running.task.filters)),
    ):
        since = cursors.window_from(held.get(name), running.clock.read_at)
        if since is not None:
            # Unfiltered, so that a record that left the filters is seen leaving.
            conditions = [filters.modified_since(MODIFIED[resource.entity], since)]
            running.clock.widen(since)
        step = read_pages.read(running, client, name, resource, conditions, complete=since is None)
        missing.judge(running, client, step, resource)


def new(running: Running, client: Client) -> None:
    """What was created or modified since the last completed read; everything, if there was none."""
    reread.wanted(running, client)
    held = running.task.cursors
    since = cursors.window_from(held.get("invoices"), running.clock.read_at)
    if running.checkpoint.everything is None:
        running.checkpoint.everything = since is None
    if running.checkpoint.everything:
        everything(running, client)
        return
    # Mostly next to nothing is new: one statement takes the places of all three, one gives them back.
    with held_if_free(client, [resource.entity for resource in (CUSTOMERS, CONTACTS, INVOICES)]):
        people(running, client, held)
        if since is not None:
            _new_invoices(running, client, since, held["invoices"].last_id or 0)
    _invoices_of_entered(running, client)
    if held.get("lines") is None or held["lines"].completed_at is None:
        lines.ask_all_again(running)
    lines.of_invoices(running, client)


def _new_invoices(running: Running, client: Client, since: datetime, last_id: int) -> None:
    """Those above the last one, and what appeared or was voided below it."""
    running.clock.widen(since)
    running.writer.read_to[INVOICES.kind.table] = last_id
    conditions = [_above_or_since(running.task.trigger, since, last_id)]
    step = read_pages.read(running, client, "invoices", INVOICES, conditions)
    if not step.rows and last_id:
        # The last invoice is within the overlap, so it must be in the answer.
        whereabouts.make_sure(running.task)


def _above_or_since(trigger: str, since: datetime, last_id: int) -> Condition:
    """Ids above the last one with an overlap, and by time what appeared below; voids always, paid ones by hand."""
    day = (since - DAYS_BACK).replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = [
        filters.id_above(max(last_id - cursors.OVERLAP_IDS, 0)),
        filters.created_since(since),
        filters.since("voidedDate", day),
    ]
    if trigger != SyncTrigger.SCHEDULE:
        wanted.append(filters.since("paidDate", day))
    return filters.any_of(*wanted)


def _invoices_of_entered(running: Running, client: Client) -> None:
    """Customers that came into the filters bring their earlier invoices."""
    entered = sorted(set(running.checkpoint.entered))
    base = filters.invoice_conditions(running.task.filters, running.task.tenant.time_zone)
    for number, condition in enumerate(filters.ids_in("companyID", entered)):
        read_pages.read(running, client, f"invoices of entered {number}", INVOICES, [*base, condition])


def unpaid(running: Running, client: Client) -> None:
    """All unpaid invoices again, then by id the open ones here that the answer lacked (rule 3, daily)."""
    conditions = [*filters.unpaid_invoices(), *_invoice_conditions(running.task)]
    step = read_pages.read(
        running, client, "invoices", INVOICES, conditions, complete=True, only=missing.marks.UNPAID
    )
    missing.judge(running, client, step, INVOICES)
    lines.ask_again_for_old(running)
    lines.of_invoices(running, client)


def only_people(running: Running, client: Client) -> None:
    """All customers and contacts."""
    people(running, client, {})


def only_pdfs(running: Running, client: Client) -> None:
    pdfs.fetch_waiting(running, client)


PRIMARY: dict[str, Plan] = {
    SyncKind.ALL: everything,
    SyncKind.NEW: new,
    SyncKind.UNPAID: unpaid,
    SyncKind.CUSTOMERS: only_people,
    SyncKind.PDFS: only_pdfs,
}
SECONDARY: dict[str, Plan] = {
    SyncKind.ALL: matching.match_and_read,
    SyncKind.NEW: matching.match,
    SyncKind.UNPAID: matching.match_and_read,
    SyncKind.CUSTOMERS: matching.nothing,
    SyncKind.PDFS: only_pdfs,
}


def carry_out(running: Running, client: Client) -> None:
    """Does what the run's kind asks for."""
    currencies.learn(running.task.integration, client)
    filter_choices.keep_fresh(running.task.integration, client)
    plan = PRIMARY if running.task.integration.is_primary else SECONDARY
    plan[running.task.kind](running, client)
