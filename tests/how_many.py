"""How much of what could go on for hours a run plays: little in a usual one, more by a name of this table.

`HISTORIES=5000 bin/test tests/faults/test_histories.py` plays 5,000 of one kind, `EVERYTHING=1 bin/test` much of each.
"""

import os

# Name in the environment: (in a usual run, with EVERYTHING=1, what it counts or switches on).
NAMES = {
    "HISTORIES": (64, 5000, "histories of payments"),
    "SYNC_HISTORIES": (40, 3000, "histories of Autotask"),
    "PREVIEW_PAIRS": (16, 300, "pairs of filters"),
    "OPERATIONS": (2000, 1_000_000, "sums"),
    "HOSTILE": (0, 1, "every hostile value in every field"),
    "STRANGERS": (0, 1, "everybody behind each wall between partners"),
    "EVERY_INTERLEAVING": (0, 1, "all faults of a delivery at once"),
}


def how_many(name: str) -> int:
    """Of what NAMES says; 0 or 1 for a switch."""
    usual, all_of_it, _ = NAMES[name]
    asked, _, _ = os.environ.get(name, "").partition("/")  # 3/8: the third of eight runs
    return int(asked or (all_of_it if os.environ.get("EVERYTHING") else usual))


def reduced() -> str:
    """What this run leaves out, in words; empty where it leaves out nothing."""
    some = [
        f"{how_many(name):,} of {all_of_it:,} {what} ({name})"
        if all_of_it > 1
        else f"without {what} ({name})"
        for name, (_, all_of_it, what) in NAMES.items()
        if how_many(name) < all_of_it
    ]
    return f"A reduced run: {', '.join(some)}. EVERYTHING=1 plays all." if some else ""
