"""The processes of a worker dyno, forked from one that has loaded the portal: `python -m jobs.crew [--grace 20]`.

One for each queue and the poller, each started again when it dies. They share the loaded code: three processes
of their own would hold 90 MB each. Not on macOS, where a process that has used the network must not fork.
"""

from __future__ import annotations

import gc
import sys
from functools import partial

from jobs import lines, poll, queue_worker
from jobs.supervisor import Supervisor
from portal.queue import QUEUES


def main(arguments: list[str]) -> int:
    grace = queue_worker.read_grace(arguments)
    from wsgi import app

    queue_worker.load_jobs()
    supervisor = Supervisor(grace=grace + 1, as_json=lines.wanted())
    for queue in QUEUES:
        supervisor.fork(queue, partial(queue_worker.serve, app, queue, grace))
    supervisor.fork("poller", partial(poll.serve, app))
    # What lives now lives for ever: looking at it again would copy every page of it into each child.
    gc.collect()
    gc.freeze()
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
