"""The queues, and the kinds of processes that are to be heard of."""

DELIVERIES, SYNCS = "deliveries", "syncs"
QUEUES = (DELIVERIES, SYNCS)
POLLER, SCHEDULER = "poller", "scheduler"
WORKERS = tuple(f"worker {queue}" for queue in QUEUES)
PROCESSES = (POLLER, *WORKERS, SCHEDULER)
