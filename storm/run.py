"""The course of a storm: prepare, pay and kill, wait until quiet, judge."""

from __future__ import annotations

import argparse
import random
import time
from datetime import date
from pathlib import Path

import psycopg

from local.environment import say
from storm import ground
from storm.checkouts import Checkout
from storm.evidence import Evidence, read_tables
from storm.figures import Figures
from storm.judge import judge
from storm.kills import Killer
from storm.site import Site
from storm.watch import Watch
from storm.weather import Weather

SLOW_MACHINE = 4
SETTLES = 3.0  # longer than any call of a living worker takes once the sky is clear
END_LEASES = """
UPDATE delivery SET lease_until = clock_timestamp() WHERE lease_until > clock_timestamp();
UPDATE call_slot SET held_until = clock_timestamp() WHERE held_until > clock_timestamp()"""


class Storm:
    """One storm in a folder of its own."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.options = options
        self.site = Site(folder)
        self.figures = Figures(options.seed, leases_ended=options.end_leases)
        self.chances = random.Random(options.seed)

    def run(self) -> list[str]:
        """Prints the figures and what is wrong; gives the latter."""
        say("Starting PostgreSQL, Redis, the sandbox Autotask and the portal")
        self.prepare()
        say(f"Paying and killing, seed {self.options.seed}")
        self.rage()
        say("Waiting until all is quiet")
        self.calm()
        evidence = self.gather()
        violations = judge(evidence)
        print("\n".join(self.figures.lines(evidence)), flush=True)
        print("\n".join(violations) or "Nothing lost, nothing twice, nothing left wrong.", flush=True)
        return violations

    def prepare(self) -> None:
        self.site.start_servers()
        app = ground.the_portal(self.site.environment)
        self.site.wait_for(self.site.autotask.port)
        self.totals = self.site.autotask.add_invoices(self.options.invoices)
        keys = ground.prepare(app, self.options.checkouts)
        self.app = app
        self.site.start_portal()
        self.site.wait_for(self.site.web_port)
        self.killer = Killer(self.site, self.chance())
        self.weather = Weather(self.site.autotask, self.chance())
        self.watch = Watch(self.site.autotask, self.site.superuser_url)
        self.checkouts = [
            Checkout(f"checkout-{number}", self.site.web_port, key, self.totals, self.chance())
            for number, key in enumerate(keys, 1)
        ]
        for checkout in self.checkouts:
            checkout.pause = self.options.pause
            checkout.give_up = time.monotonic() + self.longest() + self.options.quiet_within

    def longest(self) -> float:
        """Seconds after which the kills end, done or not."""
        return float(self.options.seconds) * SLOW_MACHINE

    def chance(self) -> random.Random:
        """A source of its own for each, so that one's doings do not change another's."""
        return random.Random(self.chances.random())

    def rage(self) -> None:
        """Kills until all kills are done or the time is over, everything else going on meanwhile."""
        started = time.monotonic()
        for thread in (self.watch, self.weather, *self.checkouts):
            thread.start()
        every = self.options.seconds / max(1, self.options.kills)
        next_at, end = started + every, started + self.longest()
        while self.killer.total < self.options.kills and time.monotonic() < end:
            self.site.mend()
            if time.monotonic() >= next_at and self.killer.strike():
                next_at += every
                self.tell_progress()
            time.sleep(0.02)
        self.weather.stopping.set()
        for checkout in self.checkouts:
            checkout.stopping.set()
        self.figures.seconds = time.monotonic() - started
        self.figures.kills, self.figures.weather = self.killer.counts, self.weather.counts

    def tell_progress(self) -> None:
        if self.killer.total % 100 == 0:
            accepted = sum(one.accepted for checkout in self.checkouts for one in checkout.requests)
            say(f"{self.killer.total} kills, {accepted} payments accepted")

    def calm(self) -> None:
        """Until every checkout has its answers and no delivery waits any more."""
        started = time.monotonic()
        deadline, eased = started + self.options.quiet_within, started
        self.quiet = False
        while not self.quiet and time.monotonic() < deadline:
            self.site.mend()
            busy = any(thread.is_alive() for thread in (self.weather, *self.checkouts))
            if self.options.end_leases and not busy and time.monotonic() - eased > SETTLES:
                self.end_leases()
                eased = time.monotonic()
            time.sleep(0.25)
            self.quiet = not busy and self.nothing_waits()
        self.figures.to_quiet = time.monotonic() - started

    def nothing_waits(self) -> bool:
        try:
            with psycopg.connect(self.site.superuser_url, connect_timeout=2) as connection:
                found = connection.execute("SELECT count(*) FROM delivery WHERE state <> 'confirmed'")
                return found.fetchone() == (0,)
        except psycopg.OperationalError:
            return False

    def end_leases(self) -> None:
        with psycopg.connect(self.site.superuser_url, autocommit=True) as connection:
            connection.execute(END_LEASES)

    def gather(self) -> Evidence:
        self.watch.stopping.set()
        self.watch.join()
        self.watch.look()
        self.figures.longest, self.figures.calls = self.watch.longest, self.watch.calls
        autotask = self.site.autotask
        evidence = Evidence(self.totals, [one for checkout in self.checkouts for one in checkout.requests])
        evidence.quiet, evidence.writes = self.quiet, self.watch.writes
        evidence.most_at_once = autotask.get("stats")["max_parallel"]
        read_tables(evidence, self.site.superuser_url)
        evidence.audit_break = ground.audit_break(self.app)
        shown = autotask.paid_dates(list(self.totals))
        evidence.shown = {one: date.fromisoformat(day) if day else None for one, day in shown.items()}
        return evidence
