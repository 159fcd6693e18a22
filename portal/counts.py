"""What this process has counted and not yet written down (portal/operating/counting.py does that).

Ours, because the library's way to share counters between processes leaves a file for every process, and each job of a
queue is one; and because workers are on another machine than whoever is asked for metrics.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# By name, and the labels in their order.
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Metric:
    """A counter, or, with `buckets` (upper bounds in seconds), how long something took."""

    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


PAGES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALLS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
KNOWN = {
    "portal_http_requests_total": Metric("Requests answered.", ("route", "method", "status")),
    "portal_http_request_seconds": Metric("How long answers took.", ("kind",), PAGES),
    "portal_autotask_calls_total": Metric(
        "Calls to Autotask, by entity and what came of them.", ("method", "entity", "outcome")
    ),
    "portal_autotask_call_seconds": Metric("How long calls to Autotask took.", ("method",), CALLS),
    "portal_jobs_total": Metric("Jobs that workers ran.", ("job", "outcome")),
    "portal_webhook_sends_total": Metric(
        "Messages to partners' own addresses, by what came of a try.", ("outcome",)
    ),
    "portal_log_lines_total": Metric("Log lines by their event.", ("event", "level")),
}
# In millionths of a second, beside the buckets.
SUM, BUCKET = "_sum", "_bucket"
MOST_SERIES = 2000
TOO_MANY = "(other)"

_lock = threading.Lock()
_waiting: Counter[Key] = Counter()


def add(name: str, **labels: str) -> None:
    """Counts. Raises KeyError for what stands in no table of ours."""
    _add((name, tuple(labels[label] for label in KNOWN[name].labels)), 1)


def observe(name: str, seconds: float, **labels: str) -> None:
    """One thing took so long."""
    metric = KNOWN[name]
    given = tuple(labels[label] for label in metric.labels)
    bound = next((str(one) for one in metric.buckets if seconds <= one), "+Inf")
    _add((name + BUCKET, (*given, bound)), 1)
    _add((name + SUM, given), round(max(0.0, seconds) * 1e6))


@contextmanager
def outcome(name: str, good: str, **labels: str) -> Iterator[None]:
    """Counts once what comes of the block: `good`, or the kind of its error."""
    try:
        yield
    except Exception as error:
        add(name, outcome=type(error).__name__.lower(), **labels)
        raise
    add(name, outcome=good, **labels)


def take() -> Counter[Key]:
    """All that was counted since the last time; it is the caller's now."""
    with _lock:
        taken = Counter(_waiting)
        _waiting.clear()
    return taken


def give_back(taken: Counter[Key]) -> None:
    """It could not be written down: it waits for the next time."""
    with _lock:
        _waiting.update(taken)


def is_known(key: Key) -> bool:
    """Whether a name has these labels, for what comes from outside this process."""
    name, given = key
    metric = KNOWN.get(name)
    if metric is not None and not metric.buckets:
        return len(given) == len(metric.labels)
    for end, more in ((BUCKET, 1), (SUM, 0)):
        metric = KNOWN.get(name.removesuffix(end))
        if name.endswith(end) and metric is not None and metric.buckets:
            return len(given) == len(metric.labels) + more
    return False


def _add(key: Key, amount: int) -> None:
    with _lock:
        if key not in _waiting and len(_waiting) >= MOST_SERIES:
            key = (key[0], (TOO_MANY,) * len(key[1]))
        _waiting[key] += amount


def _forget() -> None:
    """A forked child counts from nothing: what its parent counted is the parent's."""
    global _lock
    _lock = threading.Lock()
    _waiting.clear()


os.register_at_fork(after_in_child=_forget)
