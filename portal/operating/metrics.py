"""What Prometheus reads: checks, what waits in the tables, and what all processes have counted."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from portal import counts
from portal.access.tenancy import system_scope
from portal.extensions import db
from portal.models import HealthState, MetricCount
from portal.operating import ready
from portal.operating.check import Result, let_go
from portal.queue.job import JOBS

log = structlog.get_logger(__name__)
# Name: what it tells, and SQL for (state, number) over all partners.
GAUGES = {
    "portal_deliveries": (
        "What Autotask is still to be told of, by state.",
        "SELECT state, count(*) FROM delivery WHERE state <> 'confirmed' AND closed_at IS NULL GROUP BY 1",
    ),
    "portal_sync_runs": (
        "Sync runs that are not over, by state.",
        "SELECT state, count(*) FROM run_standing WHERE state IN ('waiting', 'running') GROUP BY 1",
    ),
    "portal_mails": (
        "Mails that were not sent, by state.",
        "SELECT state, count(*) FROM mail WHERE state <> 'sent' GROUP BY 1",
    ),
    "portal_webhook_endpoints": (
        "Addresses of partners that hear of events, by state.",
        "SELECT state, count(*) FROM webhook_standing GROUP BY 1",
    ),
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
# Told as 0 before their first event: increase() sees nothing in a series that begins with it.
FROM_ZERO: dict[str, list[tuple[str, ...]]] = {
    "portal_jobs_total": [(job, "failed") for job in JOBS],
    "portal_log_lines_total": [("audit.head_does_not_fit", "error")],
}
MOST = text("SELECT set_config('statement_timeout', :most, true)")


def text_of(results: Sequence[Result]) -> bytes:
    """In Prometheus's text format. What the database does not tell within seconds is left out; the checks are told."""
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
            yield from _of_the_tables()


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


def _of_the_tables() -> Iterator[Family]:
    """Where one fails, it and all behind it are left out: who asks waits for one of them, not for each."""
    with suppress(SQLAlchemyError):
        yield from _in_time("counted", _counted)
        for name in GAUGES:
            yield from _in_time(name, partial(_gauge, name))


def _in_time(name: str, read: Callable[[], Iterator[Family]]) -> list[Family]:
    """In a transaction of its own, whose statements may take seconds. Raises SQLAlchemyError."""
    with system_scope():
        try:
            db.session.execute(MOST, {"most": f"{ready.STATEMENT_SECONDS}s"})
            return list(read())
        except SQLAlchemyError as error:
            log.warning("metrics.left_out", metric=name, error=type(error).__name__)
            raise
        finally:
            let_go()


def _gauge(name: str) -> Iterator[Family]:
    said, query = GAUGES[name]
    family = GaugeMetricFamily(name, said, labels=["state"])
    for state, number in db.session.execute(text(query)):
        family.add_metric([state], number)
    yield family


def _counted() -> Iterator[Family]:
    rows: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for name, series in FROM_ZERO.items():
        rows[name] = dict.fromkeys(series, 0)
    for row in db.session.scalars(select(MetricCount)):
        rows[row.name][tuple(json.loads(row.labels))] = row.value
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
