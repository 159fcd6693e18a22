"""A public Autotask client from the package index, unmodified, reads through the sandbox."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox import Sandbox

SCRIPT = Path(__file__).parent / "read_with_django_autotask.py"


def test_django_autotask_finds_the_zone_and_reads_all_pages_of_three_entities(
    start: Callable[..., Sandbox],
) -> None:
    sb = start(customers=60, invoices=80)

    done = subprocess.run(
        [sys.executable, str(SCRIPT), sb.url, sb.username, sb.secret],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for entity in ("Companies", "Contacts", "BillingItems"):
        assert found[entity] == [row["id"] for row in sb.rows(entity)]
        assert len(found[entity]) > 50
        assert len(sb.calls(entity, "next")) == (len(found[entity]) - 1) // 25
    assert found["one company"] == found["Companies"][1]
    assert {one.status for one in sb.requests} == {200}
    assert {one.method for one in sb.calls("Companies", "next")} == {"GET"}
    assert {one.method for one in sb.calls("BillingItems", "next")} == {"POST"}
    assert len(sb.calls("ZoneInformation")) == 1
