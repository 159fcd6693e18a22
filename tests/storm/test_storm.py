"""A short storm with everything real: processes, signals, servers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--kills", "14", "--seconds", "8", "--seed", "8", "--invoices", "24", "--end-leases"]


@pytest.mark.faults
def test_payments_survive_a_short_storm_of_kills():
    """P1: each accepted answer has one payment, both sides agree, the audit chain verifies."""
    command = [sys.executable, "-P", "-m", "storm", *SHORT]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {
        name.strip(): int(count) for name, count in re.findall(r"^(.+?) +(\d+)(?: |$)", done.stdout, re.M)
    }
    assert figures["kills"] == 14, done.stdout
    assert figures["accepted"] == figures["payments in the portal"] > 0, done.stdout
