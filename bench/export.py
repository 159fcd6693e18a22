"""A file of all invoices through a real web process: its first byte, all of it, and what the process holds then."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.places import ROOT
from local.demo_run import answers
from local.servers import free_port

BLOCK = 1 << 16
LONGEST = 60.0


def through_gunicorn(path: str, cookie: str) -> str:
    """What was measured, as a line. The environment says where the servers are."""
    port = free_port()
    with serving(port) as master:
        ask(port, "/login", cookie)
        before = holds(master)
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        first, size, rows, most = 0.0, 0, -1, before
        while part := answer.read1(BLOCK):
            first = first or time.perf_counter() - begun
            size, rows, most = size + len(part), rows + part.count(b"\n"), max(most, holds(master))
        took = time.perf_counter() - begun
    return (
        f"{path.rpartition('/')[2]} through gunicorn: {answer.status}, {rows:,} rows, {size / 1e6:.1f} MB,"
        f" first byte {first:.2f} s, all {took:.1f} s; the process {before:.0f} MB before, {most:.0f} MB at most"
    )


@contextmanager
def serving(port: int) -> Iterator[int]:
    command = [sys.executable, "-P", "-m", "jobs.serve", "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WEB_CONCURRENCY": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + LONGEST
        while not answers(f"http://127.0.0.1:{port}/login") and time.monotonic() < until:
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, path: str, cookie: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    connection.request("GET", path, headers={"Cookie": cookie})
    connection.getresponse().read()


def holds(master: int) -> float:
    """Megabytes of the largest child of gunicorn's master, shared pages in part."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return max((proportional(int(pid)) for pid in children), default=0.0)


def proportional(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
