"""How a process with threads keeps small what it holds."""

import ctypes
import sys

# Of malloc.h.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE = 1 << 20
ARENAS = 2


def give_back() -> None:
    """What is large goes back to the system as soon as it is let go, such as the 19 MB that comparing a password takes.

    glibc alone keeps it, once for each thread that ever had it. Elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, ARENAS)
