"""A real queue worker that knows the tests' own jobs besides the portal's: `python -m tests.jobs.sample_worker syncs`."""

import sys

from jobs import queue_worker
from portal.queue.job import JOBS
from tests.jobs.sample_jobs import SAMPLES

if __name__ == "__main__":
    JOBS.update(SAMPLES)
    queue_worker.main(sys.argv[1:])
