"""What gunicorn writes, as a deployed process, without the portal's own settings on the command line."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress

import pytest

from local.servers import free_port
from tests import factories
from tests.fixtures.people import cookie_of
from tests.fixtures.servers import ROOT


@pytest.fixture
def site(app, environment, tmp_path):
    """(port, log file, process) of gunicorn as the Procfile starts it."""
    port, log = free_port(), tmp_path / "log"
    variables = os.environ | environment | {"LOG_FORMAT": "json"}
    variables.pop("PYTHONPATH")
    command = [sys.executable, "-m", "jobs.serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    yield port, log, process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def asked(port: int, path: str, **headers: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def ready(port: int) -> bool:
    try:
        return asked(port, "/login")[0] == 200
    except OSError:
        return False


def test_each_answer_is_one_json_line_with_ids_and_without_what_was_searched_for(app, site):
    with app.app_context():
        partner = factories.tenant("northwind")
        person = factories.member(partner, "reader")
    cookie = f"{app.config['SESSION_COOKIE_NAME']}={cookie_of(app, person)}"
    port, log, process = site
    while not ready(port):
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    status, page = asked(port, "/p/northwind/search?q=kim.secretary", Cookie=cookie)
    assert status == 200
    status, page = asked(port, "/p/northwind/no-such-page", Cookie=cookie)
    assert status == 404
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as broken:
        broken.sendall(b"GET / HTTP/9.9\r\n\r\n")
        assert b" 400 " in broken.recv(100)
    process.terminate()
    assert process.wait(30) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    answered = {line["path"]: line for line in lines if line["event"] == "request.answered"}
    search = answered["/p/northwind/search"]
    assert (search["status"], search["user_id"], search["tenant_id"]) == (200, person.id, partner.id)
    assert answered["/p/northwind/no-such-page"]["request_id"] in page
    assert "secretary" not in log.read_text()
