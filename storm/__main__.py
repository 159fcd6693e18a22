"""bin/storm: payments while everything is killed at random; afterwards nothing is lost, nothing twice.

Starts a whole portal of its own with a sandbox Autotask, lets checkouts pay and take back through the JSON API, and
kills its processes by SIGKILL meanwhile. When all is quiet again it compares what the checkouts were told with the
portal's tables and with Autotask itself. Exits 0, or 1 with a sentence for each thing that is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from local.environment import PROJECT, say
from local.servers import ServerFailed
from storm.run import Storm


def main(arguments: list[str]) -> int:
    options = read_arguments(arguments)
    os.chdir(PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="portal-storm-"))
    folder.chmod(0o755)  # root runs PostgreSQL as nobody, who must get in
    storm = Storm(folder, options)
    violations: list[str] = []
    try:
        violations = storm.run()
    except KeyboardInterrupt:
        return 130
    except ServerFailed as error:
        sys.exit(str(error))
    finally:
        storm.site.stop()
        if violations:
            say(f"What the processes said: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if violations else 0


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/storm", description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="how many (default 60)")
    parser.add_argument(
        "--seconds", type=float, default=90, help="the kills are spread over so many (default 90)"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats the same chances")
    parser.add_argument(
        "--checkouts", type=int, default=4, help="clients that pay at the same time (default 4)"
    )
    parser.add_argument("--invoices", type=int, default=60, help="invoices to pay (default 60)")
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds between a client's requests")
    parser.add_argument(
        "--quiet-within", type=float, default=300, help="seconds for coming to rest (default 300)"
    )
    parser.add_argument(
        "--end-leases",
        action="store_true",
        help="do not wait 90 s for the leases of killed workers to run out",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
