"""What Prometheus reads: checks, what waits in the tables, and what all processes have counted."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy import select, text

from portal import counts
from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.models import HealthState, MetricCount
from portal.operating import ready
from portal.operating.check import Result

# Name: what it tells, and SQL for (state, number) over all partners.
GAUGES = {
    "portal_deliveries": (
        "What Autotask is to be told of, by state.",
        "SELECT CASE WHEN closed_at IS NULL THEN state ELSE 'closed' END, count(*) FROM delivery GROUP BY 1",
    ),
    "portal_sync_runs": (
        "Sync runs that are not over, by state.",
        "SELECT state, count(*) FROM run_standing WHERE state IN ('waiting', 'running') GROUP BY 1",
    ),
    "portal_mails": ("Mails that are kept, by state.", "SELECT state, count(*) FROM mail GROUP BY 1"),
    "portal_integrations": (
        "Connections to Autotask, by state.",
        "SELECT state, count(*) FROM integration_status GROUP BY 1",
    ),
    "portal_exceptions": (
        "What partners must look at, by state.",
        "SELECT state, count(*) FROM exception_standing GROUP BY 1",
    ),
    "portal_alarms": (
        "Alarms, by state.",
        "SELECT CASE WHEN ended_at IS NULL THEN 'open' ELSE 'over' END, count(*) FROM alarm GROUP BY 1",
    ),
}
UNITS = sorted({check.unit for check in ready.READY if check.unit})


def text_of(results: Sequence[Result]) -> bytes:
    """In Prometheus's text format. Without the database it holds the checks alone, which say so."""
    registry = CollectorRegistry()
    registry.register(_Found(results))
    return generate_latest(registry)


class _Found(Collector):
    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results

    def describe(self) -> Iterable[Family]:
        return []

    def collect(self) -> Iterator[Family]:
        yield from _checks(self.results)
        if self.results and not self.results[0].is_wrong:
            yield from _gauges()
            yield from _counted()


def _checks(results: Sequence[Result]) -> Iterator[Family]:
    info = GaugeMetricFamily(
        "portal_release_info", "The newest migration of this release.", labels=["schema"]
    )
    info.add_metric([ready.newest_revision()], 1)
    yield info
    kept = GaugeMetricFamily("portal_check_ok", "1 where a check's promise is kept.", labels=["check"])
    for result in results:
        if result.finding.state != HealthState.UNKNOWN:  # what is behind it tells already
            kept.add_metric([result.check.name], int(not result.is_wrong))
    yield kept
    for unit in UNITS:
        family = GaugeMetricFamily(f"portal_check_{unit}", f"What checks found, in {unit}.", labels=["check"])
        for result in results:
            if result.check.unit == unit and result.finding.number is not None:
                family.add_metric([result.check.name], result.finding.number)
        yield family


def _gauges() -> Iterator[Family]:
    with system_scope():
        for name, (said, query) in GAUGES.items():
            family = GaugeMetricFamily(name, said, labels=["state"])
            for state, number in db.session.execute(text(query)):
                family.add_metric([state], number)
            yield family
        db.session.rollback()


def _counted() -> Iterator[Family]:
    rows: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for row in db.session.scalars(select(MetricCount)):
        rows[row.name][tuple(json.loads(row.labels))] = row.value
    db.session.rollback()
    for name, metric in counts.KNOWN.items():
        if metric.buckets:
            yield _histogram(name, metric, rows)
        else:
            family = CounterMetricFamily(name, metric.help, labels=metric.labels)
            for given, value in sorted(rows[name].items()):
                family.add_metric(given, value)
            yield family


def _histogram(name: str, metric: counts.Metric, rows: dict[str, dict[tuple[str, ...], int]]) -> Family:
    family = HistogramMetricFamily(name, metric.help, labels=metric.labels)
    bounds = [*map(str, metric.buckets), "+Inf"]
    for given, millionths in sorted(rows[name + counts.SUM].items()):
        found, total = [], 0
        for bound in bounds:
            total += rows[name + counts.BUCKET].get((*given, bound), 0)
            found.append((bound, total))
        family.add_metric(given, found, sum_value=millionths / 1e6)
    return family


def names() -> set[str]:
    """Every metric that can be asked for, as Prometheus names its series."""
    found = {"portal_release_info", "portal_check_ok", *(f"portal_check_{unit}" for unit in UNITS), *GAUGES}
    for name, metric in counts.KNOWN.items():
        found |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if metric.buckets else {name}
    return found
