"""The filters' choices: read by a run or by a person's button, never by looking at the page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import time_machine
from flask.testing import FlaskClient

from portal import clock
from portal.models import Integration
from sandbox import Sandbox
from tests.sync.conftest import one, sync

PAGE = "/integrations/autotask/filters"


def test_a_reader_sees_what_is_stored_or_a_sentence(
    connect: Callable[..., Integration],
    empty: Sandbox,
    browse: Callable[..., FlaskClient],
    at: Callable[[str], str],
) -> None:
    integration = connect(empty)
    page = browse("reader").get(at(PAGE)).text
    assert "the choices have not been read from Autotask yet" in page
    assert "Read the choices" not in page
    assert browse("reader").post(at(PAGE + "/choices")).status_code == 403

    sync(integration)
    page = browse("reader").get(at(PAGE)).text
    assert "These choices were read from Autotask just now" in page
    assert "Market segments" in page


def test_a_managers_button_reads_the_choices_and_keeps_what_was_typed(
    connect: Callable[..., Integration],
    empty: Sandbox,
    browse: Callable[..., FlaskClient],
    at: Callable[[str], str],
) -> None:
    connect(empty)
    manager = browse("manager")
    assert "Read the choices from Autotask" in manager.get(at(PAGE)).text

    page = manager.post(at(PAGE + "/choices"), data={"invoices_since": "2026-03-01", "contacts": "billing"})

    assert 'value="2026-03-01"' in page.text
    assert one(Integration).picklists["company_types"]["1"] == "Customer"
    assert [len(empty.calls(entity)) for entity in ("Companies", "Contacts")] == [1, 1]

    empty.refuse_connections()
    page = manager.post(at(PAGE + "/choices"), data={"contacts": "billing"})
    assert page.status_code == 503
    assert "Autotask could not be asked" in page.text
    assert "Customer" in page.text  # what is stored stays


def test_runs_keep_the_choices_at_most_a_day_old(connect: Callable[..., Integration], empty: Sandbox) -> None:
    integration = connect(empty)
    sync(integration)
    empty.clear_requests()

    def asked() -> int:
        return sum("entityInformation" in one.path for one in empty.requests)

    sync(integration, "new", "schedule")
    assert asked() == 0
    with time_machine.travel(clock.now() + timedelta(days=2)):
        sync(integration, "new", "schedule")
    assert asked() == 2


def test_a_run_goes_on_where_the_api_user_may_not_see_the_choices(
    connect: Callable[..., Integration], empty: Sandbox, monkeypatch: Any
) -> None:
    from portal.autotask.client import Client
    from portal.autotask.errors import Forbidden

    def refuse(*_: Any) -> Any:
        raise Forbidden("Autotask does not let this API user see that.")

    monkeypatch.setattr(Client, "picklists", refuse)
    integration = connect(empty)
    assert sync(integration).state == "completed"
    assert one(Integration).picklists is None
