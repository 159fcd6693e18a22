"""The worker dyno: one process per queue and one poller, restarted when they die: `python -m jobs.work`.

This process loads nothing of the portal: it has to outlive whatever goes wrong there.
"""

from __future__ import annotations

import argparse
import sys

from jobs import lines
from jobs.supervisor import Supervisor

# The names of portal/queue, which loads all of the portal.
QUEUES = ("deliveries", "syncs")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=int, default=20, help="seconds for jobs in hand when told to stop")
    grace = parser.parse_args(arguments).grace
    supervisor = Supervisor(grace=grace + 3, as_json=lines.wanted())
    python, stopping = [sys.executable, "-m"], ["--grace", str(grace)]
    if sys.platform == "linux":
        supervisor.add("worker", [*python, "jobs.crew", *stopping])
    else:
        for queue in QUEUES:
            supervisor.add(queue, [*python, "jobs.queue_worker", queue, *stopping])
        supervisor.add("poller", [*python, "jobs.poll"])
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
