"""What must still be possible while a part is away. docs/reliability.md holds the same table, written by `in_words`."""

WORKS, SAYS_SO, LATER = "works", "503 in words", "later"
COLUMNS = (
    "log in", "see invoices", "see PDF", "record", "delete", "deliver", "sync", "export", "support visit",
)  # fmt: skip
STOPPED = dict.fromkeys(COLUMNS, SAYS_SO) | {"deliver": LATER, "sync": LATER}
# Only what differs from WORKS, and what stands in for the part.
ROWS: dict[str, tuple[dict[str, str], str]] = {
    "PostgreSQL": (STOPPED, "nothing does; all goes on without a restart"),
    "Redis": ({}, "the poller finds what is due"),
    "worker": ({}, "the poller does its work"),
    "poller": ({}, "workers hear the bell"),
    "scheduler": ({}, "the poller makes the runs that are due"),
    "Autotask": ({"deliver": LATER, "sync": LATER}, "what was read before"),
    "mail": ({}, "mails wait in the outbox"),
    "storage": ({"see PDF": "says so"}, "one sentence instead of the file"),
    "clock": ({"log in": "by a recovery code"}, "leases go by PostgreSQL's clock"),
    "disk": ({}, "the portal keeps no file of its own"),
}


def expected(row: str, column: str) -> str:
    return ROWS[row][0].get(column, WORKS)


def in_words() -> str:
    """The table as the page has it."""
    head = ["away", *COLUMNS, "instead of it"]
    lines = [head, ["---"] * len(head)]
    lines += [
        [row, *(expected(row, column) for column in COLUMNS), instead] for row, (_, instead) in ROWS.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(in_words())  # noqa: T201
