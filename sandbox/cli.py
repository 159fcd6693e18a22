"""`python -m sandbox`: starts a sandbox Autotask and says where it is."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sandbox import state
from sandbox.embed import INTEGRATION_CODE, SECRET, USERNAME, Sandbox

ABOUT = """\
A sandbox of the Autotask PSA REST API on this machine: stateful, with data like a real
managed service provider's. Point a client's zone discovery at it, open the address in a
browser to play the Autotask side, or drive it by HTTP below /_sandbox. What it does not
model it refuses with 501. See sandbox/README.md."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m sandbox", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=8123, help="port; 0 takes a free one (default 8123)")
    add("--seed", type=int, default=7, help="the same seed gives the same data (default 7)")
    add("--customers", type=int, default=40, help="number of customers (default 40; 0 is empty)")
    add("--invoices", type=int, default=400, help="number of invoices (default 400)")
    add("--today", type=date.fromisoformat, help="day the data leads up to, YYYY-MM-DD (default today)")
    add("--username", default=USERNAME, help=f"API user (default {USERNAME})")
    add("--secret", help="its secret (default: SANDBOX_SECRET from the environment, else the demo secret)")
    add(
        "--integration-code", default=INTEGRATION_CODE, help="tracking identifier; any non-empty one is taken"
    )
    add("--strict-integration-code", action="store_true", help="take only that integration code")
    add("--pace", type=float, default=0.0, help="seconds that every call takes at least (default 0)")
    add("--switch", action="append", default=[], metavar="NAME=VALUE", help="set a switch; may be repeated")
    add("--state", type=Path, help="file that keeps changes across restarts, but no secrets")
    add("--guard-stdin", action="store_true", help="stop when standard input ends, with the parent process")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM, Ctrl-C or, if guarded, the end of standard input. Gives the exit code."""
    options = parser().parse_args(arguments)
    try:
        sandbox, saver = _prepared(options)
        sandbox.start()
    except (ValueError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    done = _until_told(options.guard_stdin)
    print(f"Sandbox Autotask ready at {sandbox.url}", flush=True)
    done.wait()
    if saver is not None:
        saver.save()
    sandbox.stop()
    return 0


def _until_told(guard: bool) -> threading.Event:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if guard:
        threading.Thread(target=_wait_for_end, args=(done,), daemon=True).start()
    return done


def _wait_for_end(done: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    done.set()


def _prepared(options: argparse.Namespace) -> tuple[Sandbox, state.Saver | None]:
    held = state.read(options.state) if options.state else None
    made = _made(options, held)
    sandbox = Sandbox(
        made["seed"],
        made["customers"],
        made["invoices"],
        port=options.port,
        host=options.host,
        today=date.fromisoformat(made["today"]),
        username=options.username,
        secret=options.secret or os.environ.get("SANDBOX_SECRET") or SECRET,
        integration_code=options.integration_code,
        strict_integration_code=options.strict_integration_code,
    )
    if held:
        state.restore(sandbox.world, held)
    sandbox.switches.update(_switches(options))
    if not options.state:
        return sandbox, None
    saver = state.Saver(sandbox.world, options.state, made)
    saver.start()
    return sandbox, saver


def _made(options: argparse.Namespace, held: dict[str, Any] | None) -> dict[str, Any]:
    today = (options.today or datetime.now(UTC).date()).isoformat()
    made = {
        "seed": options.seed,
        "customers": options.customers,
        "invoices": options.invoices,
        "today": today,
    }
    if held is None:
        return made
    if options.today is None:
        made["today"] = held["made"]["today"]
    if made != held["made"]:
        raise ValueError(f"{options.state} belongs to other data ({held['made']}); delete it to begin anew")
    return made


def _switches(options: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in options.switch:
        name, equals, value = one.partition("=")
        if not equals:
            raise ValueError(f"--switch wants NAME=VALUE, not {one!r}")
        values[name] = value
    if options.pace:
        values["pace"] = options.pace
    return values
