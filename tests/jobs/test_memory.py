"""What a password's comparison takes is given back, whichever thread it ran in."""

import sys
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from jobs import memory
from portal.access import passwords

THREADS = 6


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps it")
def test_comparing_passwords_in_many_threads_leaves_no_memory_behind() -> None:
    memory.give_back()
    hasher = PasswordHasher(passwords.PASSES, passwords.MEMORY, passwords.THREADS)
    kept = hasher.hash("correct horse battery")
    before = held()
    together = threading.Barrier(THREADS)

    def compare() -> None:
        together.wait(20)
        for _ in range(2):
            assert hasher.verify(kept, "correct horse battery")
        together.wait(20)  # threads that end give all of it back by themselves
        grown.append(held() - before)
        together.wait(20)

    grown: list[float] = []
    threads = [threading.Thread(target=compare) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(grown) < 30, grown


def held() -> float:
    """Megabytes of this process's own memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024
