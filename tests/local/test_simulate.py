"""bin/simulate plays rounds, says what it played, and ends with 1 at the first that fails."""

import json
import os
import subprocess

import pytest

from local import simulate_command
from tests.fixtures.servers import ROOT


@pytest.mark.in_turn(3)
@pytest.mark.faults
def test_a_short_one_plays_a_round_and_adds_up():
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    # In one process, and under a run with workers on its servers: nobody else there has the database of "main".
    command = "bin/simulate --minutes 0 --seed 3 --payments 4 --syncs 5 --workers 0"
    done = subprocess.run(command.split(), env=own, cwd=ROOT, capture_output=True, text=True, timeout=600)
    first, last = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (first["seed"], first["payments"], first["syncs"], first["failed"]) == (3, 4, 5, False)
    assert {name: last[name] for name in ("rounds", "payments", "syncs", "failed")} == {
        "rounds": 1, "payments": 4, "syncs": 5, "failed": 0,
    }  # fmt: skip


def test_a_round_that_fails_ends_it_and_is_shown(capsys, monkeypatch):
    failing = subprocess.CompletedProcess(
        [], 1, stdout=f"FAILED {simulate_command.PAYMENTS}::x - drifted apart", stderr=""
    )
    asked = []
    monkeypatch.setattr(
        simulate_command, "run", lambda files, numbers: asked.append((files, numbers)) or failing
    )
    assert simulate_command.main(["--minutes", "5", "--seed", "7"]) == 1
    assert [numbers.get("SHORTEN") for _, numbers in asked] == [None, "1"]
    assert "drifted apart" in capsys.readouterr().out
