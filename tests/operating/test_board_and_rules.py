"""docs/operating: every rule and every panel can be asked, and names only metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from portal import counts
from portal.operating import metrics, ready
from portal.operating.check import look_at
from portal.queue.job import JOBS
from tests.rules.test_imports import ROOT

FOLDER = ROOT / "docs" / "operating"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((FOLDER / "board.json").read_text())
OF_PROMETHEUS = {"up"}
# Metrics that carry what a label is asked for.
KNOWN_LABELS = {"check": {check.name for check in ready.READY}}


def asked() -> list[str]:
    panels = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    return [*(rule["expr"] for rule in RULES), *panels]


def selectors(node: object) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        inner = getattr(node, name, None)
        for one in inner if isinstance(inner, (list, tuple)) else [inner]:
            if one is not None and not isinstance(one, (str, int, float)):
                yield from selectors(one)


def increases(node: object) -> Iterator[promql_parser.VectorSelector]:
    """The series that increase() is asked of."""
    if isinstance(node, promql_parser.Call) and node.func.name == "increase":
        yield from selectors(node)
        return
    for name in ("expr", "lhs", "rhs", "args", "param"):
        inner = getattr(node, name, None)
        for one in inner if isinstance(inner, (list, tuple)) else [inner]:
            if one is not None and not isinstance(one, (str, int, float)):
                yield from increases(one)


def of_an_empty_database(app: Flask, selector: promql_parser.VectorSelector) -> list[dict[str, str]]:
    """The labels of each series that a question finds before anything has happened."""
    with app.app_context():
        told = metrics.text_of(look_at(ready.READY[:1])).decode()
    wanted = [(one.name, one.value) for one in selector.matchers.matchers]
    return [
        sample.labels
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == selector.name and all(sample.labels[name] == value for name, value in wanted)
    ]


def test_an_increase_is_asked_of_series_that_are_there_before_their_first_event(app):
    """In one that begins with its event nothing ever increases."""
    found = {
        str(one): of_an_empty_database(app, one)
        for question in asked()
        for one in increases(promql_parser.parse(question))
    }
    assert len(found) >= 2
    assert [question for question, labels in found.items() if not labels] == []
    (jobs,) = [labels for question, labels in found.items() if "portal_jobs_total" in question]
    assert {one["job"] for one in jobs} == set(JOBS)


@pytest.mark.parametrize("question", asked())
def test_every_question_can_be_asked_of_metrics_that_there_are(question):
    found = list(selectors(promql_parser.parse(question)))
    assert found
    for one in found:
        assert one.name in metrics.names() | OF_PROMETHEUS
        for label in one.matchers.matchers:
            assert label.name in labels_of(one.name), f"{one.name} has no label {label.name}"
            if label.name == "check":
                assert any(re.fullmatch(label.value, check) for check in KNOWN_LABELS["check"])


def labels_of(name: str) -> set[str]:
    if name in OF_PROMETHEUS:
        return {"job"}
    if name.startswith("portal_check_"):
        return {"check"}
    if name in metrics.GAUGES:
        return {"state"}
    metric = counts.KNOWN[re.sub(r"_(bucket|sum|count)$", "", name) if name not in counts.KNOWN else name]
    return {*metric.labels, "le"}


def test_the_guard_sees_a_metric_that_is_not_there():
    (found,) = selectors(promql_parser.parse("sum(rate(portal_made_up_total[5m])) > 1"))
    assert found.name not in metrics.names()
    with pytest.raises(ValueError):
        promql_parser.parse("sum(rate(portal_jobs_total[5m]) > 1")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_means_for_the_money_and_where_to_read_on(rule):
    told = rule["annotations"]
    assert told["summary"].endswith(".")
    assert told["money"].endswith(".")
    page, _, heading = told["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert heading in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_an_alert_that_counts_a_log_line_names_one_that_is_written():
    written = "".join(path.read_text() for path in Path(ROOT, "portal").rglob("*.py"))
    events = {event for question in asked() for event in re.findall(r'event="([a-z_.]+)"', question)}
    assert events
    assert {event for event in events if f'"{event}"' not in written} == set()


def test_every_metric_stands_on_the_board_or_in_a_rule():
    shown = {one.name for question in asked() for one in selectors(promql_parser.parse(question))}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    unseen = {name for name in {*counts.KNOWN, *metrics.GAUGES, "portal_check_ok"} if name not in families}
    assert unseen == set()


def test_the_scrape_asks_where_the_metrics_are(app):
    scrape = yaml.safe_load((FOLDER / "scrape.yml").read_text())["scrape_configs"][0]
    assert scrape["metrics_path"] in {str(rule) for rule in app.url_map.iter_rules()}
    assert scrape["job_name"] == "portal"
