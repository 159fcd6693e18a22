"""The supervisor starts the dead again, stops all on a signal, and leaves nothing when it is killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.supervisor import GAVE_UP, Process
from tests.local.processes import gone, linux_only

SLEEPER = "import os, sys, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
CHATTER = "[print('.', flush=True) or time.sleep(0.1) for _ in range(600)]"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
PROGRAM = """
import sys
from jobs.supervisor import Supervisor
supervisor = Supervisor(grace=1)
supervisor.add("first", [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
supervisor.add("second", [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
sys.exit(supervisor.run())
"""

HASTY = """
import sys
from jobs import supervisor as it
it.LONGEST_PAUSE = 0.02
supervisor = it.Supervisor(grace=1)
supervisor.add("steady", [sys.executable, "-S", "-c", sys.argv[1]])
supervisor.add("broken", [sys.executable, "-S", "-c", sys.argv[2]])
for process in supervisor.processes:
    process.pause = 0.01
sys.exit(supervisor.run())
"""


JSON = """
import sys
from jobs.supervisor import Supervisor
supervisor = Supervisor(grace=1, as_json=True)
supervisor.add("poller", [sys.executable, "-S", "-c", sys.argv[1]])
sys.exit(supervisor.run())
"""


class Running:
    """A supervisor over two processes, and a reader of what it prints."""

    def __init__(self, *code: str, program: str = PROGRAM) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *code], stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def lines(self, count: int) -> list[str]:
        assert self.process.stdout
        return [self.process.stdout.readline().strip() for _ in range(count)]

    def pids(self, count: int = 2) -> list[int]:
        said: list[int] = []
        while len(said) < count:
            line = self.lines(1)[0]
            said += [int(line.split()[-1])] if "pid" in line else []
        return said


@pytest.fixture
def supervise() -> Iterator[type[Running]]:
    started: list[Running] = []

    def start(*code: str, program: str = PROGRAM) -> Running:
        started.append(Running(*code, program=program))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


def test_output_carries_the_name_of_its_process(supervise) -> None:
    lines = supervise(SLEEPER).lines(2)
    assert {line.split(" | ")[0].strip() for line in lines} == {"first", "second"}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_and_exits_with_zero(supervise, ending) -> None:
    running = supervise(SLEEPER)
    pids = running.pids()
    running.process.send_signal(ending)
    assert running.process.wait(10) == 0
    assert gone(pids)


def test_a_process_that_ignores_the_signal_is_ended_by_force(supervise) -> None:
    running = supervise(STUBBORN)
    pids = running.pids()
    running.process.terminate()
    assert running.process.wait(10) == 0
    assert gone(pids)


@pytest.mark.faults
def test_nothing_is_left_when_the_supervisor_is_killed(supervise) -> None:
    running = supervise(SLEEPER)
    pids = running.pids()
    running.process.kill()
    assert gone(pids)


@linux_only
@pytest.mark.faults
def test_grandchildren_end_too_when_the_supervisor_is_killed(supervise) -> None:
    running = supervise(PARENT, STUBBORN)
    pids = running.pids()
    running.process.kill()
    assert gone(pids)


@pytest.mark.faults
def test_a_process_that_dies_is_started_again(supervise) -> None:
    running = supervise(SLEEPER)
    first = running.pids()
    os.kill(first[0], signal.SIGKILL)
    told, again = running.lines(2)
    assert "ended with 137; starting again in 0.5 s" in told
    assert int(again.split()[-1]) not in first


def test_pauses_grow_while_a_process_keeps_dying(supervise) -> None:
    lines = supervise("raise SystemExit(3)").lines(6)
    assert sum("again in 0.5 s" in line for line in lines) == 2
    assert sum("again in 1 s" in line for line in lines) == 2
    assert sum("again in 2 s" in line for line in lines) == 2


@pytest.mark.faults
def test_a_process_that_keeps_dying_ends_the_supervisor_with_a_code_and_one_line(supervise) -> None:
    """What crashes in a loop must not look healthy from outside."""
    running = supervise(SLEEPER, "raise SystemExit(3)", program=HASTY)
    output, _ = running.process.communicate(timeout=30)
    assert running.process.returncode == GAVE_UP
    said = [line for line in output.splitlines() if "nothing is started any more" in line]
    assert len(said) == 1
    assert "ended with 3, 10 times in a row" in said[0]
    assert gone([int(line.split()[-1]) for line in output.splitlines() if "pid" in line])


@pytest.mark.faults
def test_a_child_that_gave_up_itself_is_not_started_again(supervise) -> None:
    running = supervise(SLEEPER, f"raise SystemExit({GAVE_UP})", program=HASTY)
    output, _ = running.process.communicate(timeout=30)
    assert running.process.returncode == GAVE_UP
    assert "starting again" not in output


def test_only_deaths_in_a_row_and_right_after_the_start_count() -> None:
    process = Process("one", [], None)
    for lived in [1.0] * 9 + [31.0] + [1.0] * 9:
        process.started = 100.0
        process.died(100.0 + lived)
    assert process.quick_deaths == 9


@pytest.mark.faults
def test_losing_its_reader_stops_everything(supervise) -> None:
    running = supervise(SLEEPER.replace("time.sleep(600)", CHATTER))
    pids = running.pids()
    running.process.stdout.close()
    running.process.wait(10)
    running.process.stdout = None
    assert gone(pids)


def test_the_guard_passes_on_the_exit_code(tmp_path: Path) -> None:
    guard = Path(__file__).parents[2] / "jobs" / "guard.py"
    code = textwrap.dedent("raise SystemExit(7)")
    command = [sys.executable, "-S", "-E", str(guard), "--", sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(10) == 7


def test_for_machines_every_line_is_json_and_a_childs_own_is_passed_on_unchanged(supervise) -> None:
    own = '{"timestamp": "2026-11-24T10:00:00Z", "level": "info", "event": "poller.counts", "logins": 1}'
    said = supervise(f"print({own!r}); print('{{half'); print('plain'); raise SystemExit(3)", program=JSON)
    first, *wrapped = said.lines(4)
    assert first == own
    half, plain, ended = map(json.loads, wrapped)
    assert [half["event"], plain["event"], plain["process"]] == ["{half", "plain", "poller"]
    assert ended["level"] == "warning"
    assert ended["event"].startswith("ended with 3")
