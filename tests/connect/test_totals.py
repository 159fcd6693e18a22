"""Rule 1.6: whether Autotask's total holds the tax is observed, with evidence."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask

from portal.connect import ConnectRequest, check, decide_totals
from portal.connect.totals import Sample, decided
from portal.models import Integration, TotalsMode
from sandbox import Sandbox


def sample(total: str, tax: str, net: str, lines: int = 2) -> Sample:
    return Sample(1, "INV-1", Decimal(total), Decimal(tax), Decimal(net), lines)


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (sample("119.00", "19.00", "100.00"), "with_tax"),
        (sample("100.00", "19.00", "100.00"), "without_tax"),
        (sample("52.7775", "11.0833", "52.7775"), "without_tax"),
        (sample("100.01", "19.00", "100.00"), "without_tax"),  # a cent of rounding
        (sample("111.00", "19.00", "100.00"), "neither"),
        (sample("100.00", "0.00", "100.00"), "no_tax"),
        (sample("100.00", "0.02", "100.00"), "no_tax"),  # too little to tell
        (sample("100.00", "19.00", "0.00", lines=0), "no_lines"),
        (sample("-119.00", "-19.00", "-100.00"), "with_tax"),  # a credit
    ],
)
def test_each_invoice_says_which_reading_fits_it(one: Sample, verdict: str) -> None:
    assert one.verdict == verdict


WITH, WITHOUT = sample("119.00", "19.00", "100.00"), sample("100.00", "19.00", "100.00")
NEITHER, UNTAXED = sample("111.00", "19.00", "100.00"), sample("100.00", "0", "100.00")


@pytest.mark.parametrize(
    ("samples", "mode"),
    [
        ([WITH] * 3, TotalsMode.WITH_TAX),
        ([WITHOUT] * 3 + [UNTAXED] * 9, TotalsMode.WITHOUT_TAX),
        ([WITHOUT] * 12 + [WITH], TotalsMode.WITHOUT_TAX),
        ([WITHOUT, WITH], None),
        ([WITHOUT] + [NEITHER] * 2, None),
        ([UNTAXED] * 5, None),
        ([], None),
    ],
)
def test_a_sample_decides_only_when_it_is_clear(samples: list[Sample], mode: TotalsMode | None) -> None:
    assert decided(samples) == mode


@pytest.mark.parametrize("mode", ["with_tax", "without_tax"])
def test_both_kinds_of_autotask_are_told_apart(
    app: Flask, partner: object, sandbox: Sandbox, connect_to: Callable[..., Integration], mode: str
) -> None:
    """Rule 1.6: the evidence stands on the page."""
    sandbox.switches.totals = mode  # type: ignore[assignment]
    integration = connect_to(sandbox, totals_mode="with_tax", totals_source="assumed")
    request = ConnectRequest("dana@example.com", sandbox.username, sandbox.secret)

    changed = decide_totals(integration, check(request, app.config).samples)

    assert (integration.totals_mode, integration.totals_source) == (mode, "evidence")
    assert changed == (mode == "without_tax")
    evidence = integration.totals_evidence
    assert evidence["mode"] == mode
    assert evidence["counts"][mode] == len(evidence["sample"]) > 3
    assert evidence["counts"]["neither"] == 0


def test_the_partners_own_word_outlasts_new_evidence(
    sandbox: Sandbox, connect_to: Callable[..., Integration]
) -> None:
    integration = connect_to(sandbox, totals_mode="with_tax", totals_source="partner")

    assert not decide_totals(integration, [WITHOUT] * 5)
    assert (integration.totals_mode, integration.totals_evidence["mode"]) == ("with_tax", "without_tax")
