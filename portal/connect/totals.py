"""Does Autotask's invoiceTotal hold the tax? Nobody documents it, so it is observed (rule 1.6)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from portal import clock
from portal.autotask import records
from portal.autotask.client import Client
from portal.autotask.conditions import Condition, created_since, equals, everything, ids_in
from portal.autotask.errors import BadRecord, Rejected
from portal.models import Integration, TotalsMode, TotalsSource

SAMPLE = 20
MOST_LINE_PAGES = 10
RECENT = timedelta(days=400)
CENT = Decimal("0.01")
TAXED: Condition = {"op": "noteq", "field": "totalTaxValue", "value": 0}
VERDICTS = ("with_tax", "without_tax", "neither", "no_tax", "no_lines")


@dataclass(frozen=True)
class Sample:
    """One invoice beside its lines: `net` is what the billable lines cost without tax."""

    autotask_id: int
    number: str
    total: Decimal
    tax: Decimal
    net: Decimal
    lines: int

    @property
    def verdict(self) -> str:
        """Which reading fits: one of VERDICTS. Lines are rounded each, so each may be off by half a cent."""
        if not self.lines:
            return "no_lines"
        slack = max(CENT, CENT * self.lines / 2)
        if abs(self.tax) <= 2 * slack:
            return "no_tax"
        if abs(self.total - self.net - self.tax) <= slack:
            return TotalsMode.WITH_TAX.value
        if abs(self.total - self.net) <= slack:
            return TotalsMode.WITHOUT_TAX.value
        return "neither"


def read_samples(client: Client) -> list[Sample]:
    """Up to 20 invoices with their lines, taxed and recent ones if there are any. Raises AutotaskError."""
    invoices = list(_good(records.invoice, _some_invoices(client)))
    lines = _lines_of(client, [invoice["autotask_id"] for invoice in invoices])
    return [_sample(invoice, lines.get(invoice["autotask_id"], [])) for invoice in invoices]


def _some_invoices(client: Client) -> list[dict[str, Any]]:
    recent = created_since(clock.now() - RECENT)
    for wanted in ([TAXED, equals("isVoided", False), recent], [TAXED], [everything()]):
        try:
            found = next(client.pages("Invoices", wanted, page_size=SAMPLE), [])
        except Rejected:
            continue  # a server that cannot be asked for taxed ones
        if found:
            return found
    return []


def _lines_of(client: Client, invoice_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Lines by invoice; none at all when they are too many to be read whole."""
    found: dict[int, list[dict[str, Any]]] = {}
    for condition in ids_in("invoiceID", invoice_ids):
        pages = client.pages("BillingItems", condition)
        for page in islice(pages, MOST_LINE_PAGES):
            for line in _good(records.line, page):
                found.setdefault(line["invoice_autotask_id"], []).append(line)
        if next(pages, None):
            return {}
    return found


def _good(reader: Any, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for row in rows:
        try:
            yield reader(row)
        except BadRecord:
            continue


def _sample(invoice: dict[str, Any], lines: list[dict[str, Any]]) -> Sample:
    billed = [line for line in lines if not line["non_billable"]]
    return Sample(
        autotask_id=invoice["autotask_id"],
        number=invoice["number_raw"] or str(invoice["autotask_id"]),
        total=invoice["total_raw"],
        tax=invoice["tax_raw"],
        net=sum((line["price_raw"] for line in billed), Decimal(0)),
        lines=len(lines),
    )


def decided(samples: Sequence[Sample]) -> TotalsMode | None:
    """The reading that holds, or None: clear when the other hardly ever fits and most samples fit one."""
    verdicts = [sample.verdict for sample in samples]
    with_tax, without, neither = (verdicts.count(name) for name in VERDICTS[:3])
    if with_tax + without == 0 or neither > with_tax + without:
        return None
    if min(with_tax, without) * 10 > with_tax + without:
        return None
    return TotalsMode.WITH_TAX if with_tax > without else TotalsMode.WITHOUT_TAX


def evidence(samples: Sequence[Sample], read_at: datetime) -> dict[str, Any]:
    """What the page shows: {mode, read_at, counts: {verdict: n}, sample: [rows with amounts as text]}."""
    verdicts = [sample.verdict for sample in samples]
    mode = decided(samples)
    return {
        "mode": mode.value if mode else None,
        "read_at": read_at.isoformat(),
        "counts": {name: verdicts.count(name) for name in VERDICTS},
        "sample": [_shown(sample) for sample in samples],
    }


def _shown(sample: Sample) -> dict[str, Any]:
    return {
        "autotask_id": sample.autotask_id,
        "number": sample.number,
        "total": _plain(sample.total),
        "tax": _plain(sample.tax),
        "net": _plain(sample.net),
        "lines": sample.lines,
        "verdict": sample.verdict,
    }


def _plain(amount: Decimal) -> str:
    return format(amount.quantize(Decimal("0.0001")), "f")


def decide_totals(integration: Integration, samples: Sequence[Sample]) -> bool:
    """Keeps the evidence, and the mode it shows unless the partner chose one. True when the mode changed.

    The caller recomputes amounts then, and commits.
    """
    if not samples and integration.totals_evidence:
        return False
    integration.totals_evidence = evidence(samples, clock.now())
    mode = decided(samples)
    if mode is None or integration.totals_source == TotalsSource.PARTNER:
        return False
    changed = integration.totals_mode != mode
    integration.totals_mode, integration.totals_source = mode, TotalsSource.EVIDENCE
    return changed
