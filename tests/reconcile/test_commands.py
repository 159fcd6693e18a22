"""`deliveries list`, `run` and `retry`: words and outputs are a promise to operators and scripts."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from tests.both_sides import Both

DAY = date(2026, 11, 19)


@pytest.fixture
def run(app: Flask) -> Callable[..., Any]:
    """Runs a command; (exit code, JSON lines, what stands on standard error)."""

    def command(*words: object) -> tuple[int, list[dict[str, Any]], str]:
        result = app.test_cli_runner().invoke(args=["deliveries", *map(str, words)])
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return command


def test_the_list_is_one_json_object_a_line(both: Both, run: Callable[..., Any]):
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    code, [row], _ = run("list", both.partner.slug, "--json")
    assert code == 0
    shown = {name: row[name] for name in ("autotask_id", "invoice", "wish", "state", "attempts", "error")}
    assert shown == {
        "autotask_id": invoice.autotask_id,
        "invoice": "INV-1",
        "wish": "2026-11-19",
        "state": "waiting",
        "attempts": 0,
        "error": None,
    }


def test_run_delivers_what_is_due_and_prints_each(both: Both, run: Callable[..., Any]):
    invoices = [both.invoice(number=f"INV-{n}") for n in range(3)]
    for invoice in invoices:
        both.pay(invoice, on=DAY)
    code, lines, _ = run("run", both.partner.slug)
    assert (code, [line["state"] for line in lines]) == (0, ["confirmed"] * 3)
    assert [both.shown(invoice) for invoice in invoices] == [DAY] * 3
    assert run("run", both.partner.slug) == (0, [], "")


def test_run_prints_a_refusal_with_its_words(both: Both, run: Callable[..., Any]):
    both.pay(both.invoice())
    both.sandbox.faults.add("F10", "Invoices", "patch", text="The period is locked.", applied=False)
    code, [line], _ = run("run", both.partner.slug)
    assert (code, line["state"]) == (0, "parked")
    assert "The period is locked." in line["error"]


def test_retry_makes_one_or_all_stuck_ones_due(both: Both, run: Callable[..., Any]):
    invoice = both.invoice()
    both.pay(invoice)
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False)
    _, [line], _ = run("run", both.partner.slug)
    code, [row], _ = run("retry", both.partner.slug, line["id"])
    assert (code, row["state"]) == (0, "waiting")
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False)
    run("run", both.partner.slug)
    assert [row["state"] for row in run("retry", both.partner.slug, "--all")[1]] == ["waiting"]
    assert run("retry", both.partner.slug, "--all")[1] == []
    assert run("run", both.partner.slug)[1][0]["state"] == "confirmed"


def test_what_does_not_exist_is_said_in_a_sentence(both: Both, run: Callable[..., Any]):
    assert run("retry", both.partner.slug, 999999)[0] == 1
    assert "no delivery 999999" in run("retry", both.partner.slug, 999999)[2]
    assert run("retry", both.partner.slug)[0] == 2
    assert "no partner" in run("list", "nobody")[2]
