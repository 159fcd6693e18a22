"""Measures the portal's reading beside the raw limit: `bin/bench [--quick] [--report]`.

--quick is one small round, to see that it works; --report writes docs/performance.md, medians of three at 1 × and 10 ×.
"""

import argparse

from bench import burst, peers, report
from bench.measure import PAUSE_OF_AUTOTASK, Setting, medians, rounds

QUICK = 500
QUICK_BURST, BURST = 100, 1_000
ONE, TEN, HUNDRED = 1_500, 15_000, 150_000


def main() -> None:
    options = _options()
    number = options.rounds or (3 if options.report else 1)
    beside = [peers.DLT] if options.peers and peers.installed() else []
    sides = []
    for setting in _settings(options):
        print(f"\n{setting.words}")
        measured = []
        for side in rounds(setting, number, beside):
            measured.append(side)
            print(f"  {side.work}, {side.who}: {side.figure.seconds:.2f} s, load {side.load:.1f}", flush=True)
        print(report.table(medians(measured), setting), flush=True)
        sides += measured
    print("\npayments at once", flush=True)
    paid = report.bursts(burst.bursts(QUICK_BURST if options.quick else BURST, rounds=number))
    print(paid)
    if options.report:
        report.write(sides, paid, number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 500 invoices, under three minutes")
    parser.add_argument("--report", action="store_true", help="write docs/performance.md and its curves")
    parser.add_argument(
        "--peers", action="store_true", help="dlt with Arrow as well, in an environment of its own"
    )
    parser.add_argument("--hundred", action="store_true", help="100 × as well: 150,000 invoices")
    parser.add_argument("--rounds", type=int, default=0, help="how often each is measured")
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="numbers of invoices instead of 1,500 and 15,000"
    )
    parser.add_argument(
        "--postgres", type=int, nargs="+", default=[0], help="versions; 0 is the embedded one"
    )
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> list[Setting]:
    """Every size on every server, and the first size with an Autotask as slow as the real one."""
    sizes = options.sizes or ([QUICK] if options.quick else [ONE, TEN])
    sizes += [HUNDRED] if options.hundred else []
    found = [Setting(size, version or None) for version in options.postgres for size in sizes]
    slow = [] if options.quick else [Setting(sizes[0], found[0].version, PAUSE_OF_AUTOTASK)]
    return [*found, *slow]


if __name__ == "__main__":
    main()
