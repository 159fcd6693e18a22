"""How much of what could go on for hours a run plays: little in a usual one, more by a name of this table.

`HISTORIES=5000 bin/test tests/faults/test_histories.py` plays 5,000 of one kind, `EVERYTHING=1 bin/test` much of each.

What repeats itself over roles, widths, switches or places takes turns: of tests marked `in_turn(3)` a whole run plays
every third, beginning at another one with each commit; files and tests that are named are played whole.
"""

import os
import subprocess
from pathlib import Path

# Name in the environment: (in a usual run, with EVERYTHING=1, what it counts or switches on).
NAMES = {
    "HISTORIES": (64, 5000, "histories of payments"),
    "SYNC_HISTORIES": (40, 3000, "histories of Autotask"),
    "PREVIEW_PAIRS": (16, 300, "pairs of filters"),
    "OPERATIONS": (2000, 1_000_000, "sums"),
    "HOSTILE": (0, 1, "every hostile value in every field"),
    "STRANGERS": (0, 1, "everybody behind each wall between partners"),
    "API_CALLS": (5, 500, "calls of each address of the API"),
    "EVERY_INTERLEAVING": (0, 1, "all faults of a delivery at once"),
}


TURN = "TURN"  # in the environment: a whole number, or "all"
ALL = "all"


def turn_of_commit() -> str:
    """The same for whoever runs this commit; 0 outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        said = subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        said = ""
    return str(int(said[:8] or "0", 16) % 12)  # 12: as evenly over two, three and four


def is_played(place: int, of: int) -> bool:
    """Whether what stands at this place of a series is played this time, as each is once in `of` turns."""
    turn = ALL if os.environ.get("EVERYTHING") else os.environ.get(TURN, ALL)
    return turn == ALL or (place + int(turn)) % of == 0


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
    if (turn := os.environ.get(TURN, ALL)) != ALL and not os.environ.get("EVERYTHING"):
        some.append(f"what takes turns at its turn {turn} (TURN)")
    return f"A reduced run: {', '.join(some)}. EVERYTHING=1 plays all." if some else ""
