"""Whatever fails, wherever: the reference on the page leads to one line, with the traceback inside."""

import json
import re
import subprocess

import pytest
from redis import Redis

from jobs import queue_worker
from local.servers import free_port
from portal.queue import DELIVERIES, bell
from portal.queue.job import JOBS
from tests import factories
from tests.fixtures.form_tokens import NONE
from tests.fixtures.people import browser, cookie_of
from tests.jobs.sample_jobs import SAMPLES

REFERENCE = re.compile(r"\b[0-9a-f]{16}\b")
FRAGMENT = {"HX-Request": "true"}


PLACES = ["/view", "/api/v1/planted", "/template", "/door", "/way-out", "/given-up", "/database"]


@pytest.mark.parametrize("place", [*PLACES, "/page-of-the-fault"])
@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_the_reference_of_a_fault_leads_to_one_line_with_its_traceback(json_app, lines, place, headers):
    answer = json_app.test_client().get(place, headers=headers)
    assert answer.status_code in (500, 503)
    assert "Content-Security-Policy" in answer.headers
    (reference,) = set(REFERENCE.findall(answer.text))
    found = [line for line in lines() if line.get("request_id") == reference]
    if place == "/page-of-the-fault":
        assert found.pop()["event"] == "error_page.failed"
    (line,) = found
    assert (line["event"], line["level"]) == ("request.failed", "error")
    assert "tests/logs/conftest.py" in str(line["exception"][0]["frames"])


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/no-such-page", "GET", 404), ("/logout", "PUT", 405), ("/api/v1/invoices", "GET", 401)],
)
def test_the_reference_of_a_refusal_leads_to_one_line_with_the_reason(json_app, lines, path, method, status):
    answer = json_app.test_client().open(path, method=method)
    assert answer.status_code == status
    (reference,) = set(REFERENCE.findall(answer.text))
    (line,) = [line for line in lines() if line.get("request_id") == reference]
    assert (line["event"], line["status"]) == ("request.refused", status)
    assert line["reason"]


def test_the_reference_of_a_refused_form_token_leads_to_one_line(json_app, lines):
    answer = json_app.test_client().open("/logout", method="POST", token=NONE)
    assert answer.status_code == 400
    (reference,) = set(REFERENCE.findall(answer.text))
    (line,) = [line for line in lines() if line.get("request_id") == reference]
    assert (line["event"], line["endpoint"]) == ("form_token.refused", "sessions.destroy")


def test_a_line_names_the_person_the_partner_and_the_visit(json_app, lines, visit):
    with json_app.app_context():
        partner = factories.tenant("northwind")
        owner = factories.member(partner, "owner")
    for path in ("planted", "refused"):
        browser(json_app, cookie_of(json_app, owner)).get(f"/p/northwind/{path}")
        assert (lines()[-1]["user_id"], lines()[-1]["tenant_id"]) == (owner.id, partner.id)
    cookie = visit(partner).get_cookie(json_app.config["SESSION_COOKIE_NAME"])
    browser(json_app, cookie.value).get("/p/northwind/planted")
    assert lines()[-1]["support_visit_id"]
    assert lines()[-1]["tenant_id"] == partner.id


def test_a_failing_job_writes_one_line_with_its_id_and_traceback(json_app, lines, redis_url, monkeypatch):
    monkeypatch.setattr("portal.queue.job.JOBS", JOBS | SAMPLES)
    with json_app.app_context():
        bell(DELIVERIES, "tests.jobs.sample_jobs.fail")
        worker = queue_worker.PatientSimpleWorker(
            [DELIVERIES],
            queue_class=queue_worker.BellQueue,
            connection=Redis.from_url(redis_url),
            job_class=queue_worker.JsonJob,
            serializer=queue_worker.JSONSerializer,
        )
    worker.app = json_app
    worker.work(burst=True, logging_level="ERROR")
    (line,) = [line for line in lines() if line["level"] == "error"]
    assert (line["event"], line["job"]) == ("job.failed", "tests.jobs.sample_jobs.fail")
    assert line["job_id"].startswith("fail-")
    assert "sample_jobs.py" in line["exception"][0]["frames"][-1]


def test_a_failing_command_writes_one_line_with_its_name_and_traceback(environment, python):
    nobody_listens = f"postgresql://portal@127.0.0.1:{free_port()}/portal"
    ended = subprocess.run(
        [python, "-m", "flask", "--app", "wsgi", "customers", "list", "northwind"],
        env=environment | {"LOG_FORMAT": "json", "DATABASE_URL": nobody_listens},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (line["event"], line["command"]) == ("process.failed", "customers list")
    assert line["request_id"]
    assert line["exception"][0]["type"] == "sqlalchemy.exc.OperationalError"


def test_no_reference_is_given_twice(json_app):
    """Also where the thread has served another request before."""
    client = json_app.test_client()
    seen = [REFERENCE.findall(client.get("/no-such-page").text)[0] for _ in range(3)]
    assert len(set(seen)) == 3
