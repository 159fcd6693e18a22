"""The worker dyno: one process per queue and one poller, restarted when they die: `python -m jobs.work`."""

from __future__ import annotations

import argparse
import sys

from jobs import lines
from jobs.supervisor import Supervisor
from portal.queue import QUEUES


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=int, default=20, help="seconds for jobs in hand when told to stop")
    grace = parser.parse_args(arguments).grace
    supervisor = Supervisor(grace=grace + 3, as_json=lines.wanted())
    for queue in QUEUES:
        supervisor.add(queue, [sys.executable, "-m", "jobs.queue_worker", queue, "--grace", str(grace)])
    supervisor.add("poller", [sys.executable, "-m", "jobs.poll"])
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
