"""Runs the demo's processes under the supervisor, and tells where to look once the pages answer."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jobs.supervisor import Supervisor
from local import demo_data
from local.environment import PROJECT, say
from sandbox.embed import INTEGRATION_CODE, SECRET, USERNAME

READY_SECONDS = 60
# The pages first: workers and scheduler load the same code and would only slow the start.
AFTER_PAGES = 2.0


@dataclass(frozen=True)
class Addresses:
    """Where the portal, the sandbox and the page of logins listen; no sandbox when the caller named another Autotask."""

    web: str
    sandbox: str
    page: str

    def for_portal(self) -> dict[str, str]:
        own = {"PORTAL_URL": self.web}
        if not self.sandbox:
            return own
        return own | {
            "AUTOTASK_DISCOVERY_URL": f"{self.sandbox}/ATServicesRest/V1.0/zoneInformation",
            "AUTOTASK_TRUSTED_HOSTS": urlsplit(self.sandbox).netloc,
            "AUTOTASK_INTEGRATION_CODE": INTEGRATION_CODE,
        }


def processes(
    supervisor: Supervisor, folder: Path, addresses: Addresses, environment: dict[str, str]
) -> None:
    python = [sys.executable, "-P", "-m"]
    bind = f"127.0.0.1:{urlsplit(addresses.web).port}"
    quiet = ["--log-level", "warning", "--workers", "1", "--threads", "8", "--graceful-timeout", "4"]
    supervisor.add("web", [*python, "jobs.serve", *quiet, "--bind", bind], environment)
    if addresses.sandbox:
        port = str(urlsplit(addresses.sandbox).port)
        state_file = str(folder / "sandbox-state.json")
        supervisor.add("sandbox", [*python, "sandbox", "--port", port, "--state", state_file], environment)
    page_port = str(urlsplit(addresses.page).port)
    supervisor.add("page", [*python, "local.demo_page", "--port", page_port], environment, after=AFTER_PAGES)
    supervisor.add("worker", [*python, "jobs.work", "--grace", "3"], environment, after=AFTER_PAGES)
    supervisor.add("scheduler", [*python, "jobs.tick"], environment, after=AFTER_PAGES)


def run_until_stopped(folder: Path, addresses: Addresses, environment: dict[str, str], started: float) -> int:
    supervisor = Supervisor()
    say("Starting web, sandbox Autotask, worker and scheduler")
    processes(supervisor, folder, addresses, environment)

    def tell() -> None:
        wait_for_pages(addresses)
        match_files(addresses, environment)
        print(greeting(addresses, time.monotonic() - started), flush=True)

    threading.Thread(target=tell, daemon=True).start()
    return supervisor.run()


def run_check(folder: Path, addresses: Addresses, environment: dict[str, str], started: float) -> int:
    """Runs local/demo_check.py against the pages; the processes' own output goes to a file."""
    log = folder / "processes.log"
    codes: list[int] = []
    with log.open("w") as output:
        supervisor = Supervisor(output=output)
        processes(supervisor, folder, addresses, environment)

        def check() -> None:
            wait_for_pages(addresses)
            match_files(addresses, environment)
            command = [sys.executable, "-m", "local.demo_check", addresses.web]
            codes.append(subprocess.run(command, env=environment, cwd=PROJECT).returncode)
            supervisor.request_stop()

        threading.Thread(target=check, daemon=True).start()
        supervisor.run()
    if codes != [0]:
        print(f"The check failed. What the processes said: {log}", file=sys.stderr)
    return codes[0] if codes else 1


def match_files(addresses: Addresses, environment: dict[str, str]) -> None:
    """Connects the partner whose invoices came in as files to the sandbox; that is safe to do at each start."""
    if not addresses.sandbox:
        return
    command = [sys.executable, "-m", "local.demo_files", addresses.sandbox]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        say(f"{demo_data.FILES_NAME} could not be connected to Autotask:\n{done.stdout}{done.stderr}")


def wait_for_pages(addresses: Addresses) -> None:
    deadline = time.monotonic() + READY_SECONDS
    waiting = [url for url in (addresses.web, addresses.sandbox) if url]
    while waiting and time.monotonic() < deadline:
        waiting = [url for url in waiting if not answers(url)]
        time.sleep(0.05)
    if waiting:
        say(f"No answer from {' and '.join(waiting)} within {READY_SECONDS} s; the reason stands above.")
        say("If it is the demo's own data: bin/demo --fresh begins anew.")


def answers(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/")
        return bool(connection.getresponse().status)
    except OSError:
        return False
    finally:
        connection.close()


def greeting(addresses: Addresses, seconds: float) -> str:
    lines = [
        "",
        f"The portal is ready ({seconds:.1f} s)",
        "",
        f"  Portal             {addresses.web}",
        f"  Mails              {addresses.web}/mails",
        f"  Sandbox Autotask   {addresses.sandbox or 'not started: AUTOTASK_DISCOVERY_URL is set'}",
        "",
        f"  Log in with the password  {demo_data.PASSWORD}  as",
    ]
    lines += [f"    {demo_data.address(role):<28} {may}" for role, may in demo_data.PEOPLE.items()]
    lines += [
        f"    {demo_data.FILES_OWNER:<28} everything of {demo_data.FILES_NAME}: its invoices come in as files"
    ]
    lines += [f"    {demo_data.STAFF:<28} support staff"]
    lines += [
        f"    {demo_data.GUARDED:<28} support staff with a second factor; its code: {addresses.page}",
        "",
    ]
    if addresses.sandbox:
        lines += ["  Connect Autotask (Integrations, Connect) with"]
        lines += [f"    Username (Key)     {USERNAME}", f"    Password (Secret)  {SECRET}", ""]
    lines += ["  Ctrl-C stops everything; the data stays. bin/demo --fresh begins anew.", ""]
    return "\n".join(lines)
