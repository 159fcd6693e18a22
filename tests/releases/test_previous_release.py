"""The release before this one works on this one's schema: both run side by side for the time of a deploy."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest

from portal.cli.schema import RELEASED
from portal.ledger.kept_sums import KEPT, missing
from tests.fixtures.servers import ROOT, settings

COMMIT = json.loads(RELEASED.read_text())["commit"]
MISSING = (
    f"The history of this checkout lacks the last release, commit {COMMIT}: it is a shallow clone or a copy without "
    "`.git`. `git fetch --unshallow` brings it. Without it nobody knows whether the last release survives a deploy."
)
# Packages of the last release that this one no longer installs.
STAND_INS = [str(Path(__file__).with_name("stand_ins"))]
WITHOUT_WORDS = """SELECT number FROM invoice i WHERE NOT EXISTS (SELECT FROM invoice_word w
    WHERE w.tenant_id = i.tenant_id AND w.invoice_id = i.id AND w.word = lower(i.number))"""
DRIVE = Path(__file__).with_name("drive.py")


@pytest.fixture(scope="module")
def previous(tmp_path_factory) -> Path:
    """The code of the last release."""
    folder = tmp_path_factory.mktemp("previous")
    archive = folder.with_suffix(".tar")
    made = subprocess.run(["git", "archive", "-o", archive, COMMIT], cwd=ROOT, capture_output=True, text=True)
    if made.returncode:
        pytest.fail(f"{MISSING}\n{made.stderr}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


class Releases:
    """Programs of either release on one database."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        self.environment = os.environ | settings(database_url, redis_url)

    def flask(self, code: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(code, "-m", "flask", "--app", "wsgi", *words)

    def drive(self, code: Path, *words: str) -> dict[str, int]:
        done = self.run(code, str(DRIVE), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def ask(self, statement: str):
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement).fetchone()[0]

    def wrong_sums(self) -> list[tuple[object, ...]]:
        """What is kept as a sum, or as words of an invoice, and does not fit the rows of the first partner."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("SELECT set_config('app.tenant_id', '1', false)")
            sums = [missing(kept).replace(":tenant_id", "1") for kept in KEPT]
            return [row for every in (*sums, WITHOUT_WORDS) for row in connection.execute(every)]

    def revision(self) -> str:
        return self.ask("SELECT version_num FROM alembic_version")

    def open_for_days(self) -> float:
        """How long the schema still shows the last release what this one does not show any more."""
        closes = r"max(substring(qual FROM '(\d{4}-\d\d-\d\d [^'']+)')::timestamptz)"
        return self.ask(
            f"SELECT extract(epoch FROM {closes} - now()) / 86400 FROM pg_policies"
            " WHERE policyname = 'release_before'"
        )

    def run(self, code: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            env=self.environment | {"PYTHONPATH": os.pathsep.join([str(code), *STAND_INS])},
            cwd=code,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def releases(empty_database, redis_url) -> Releases:
    return Releases(empty_database, redis_url)


def newest_migration() -> str:
    return max(path.name[:4] for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))


TELL_OF_A_CLOSED_DELIVERY = [
    f"/p/northwind/{page}"
    for page in ("payments", "payments/1", "deliveries", "deliveries/1", "invoices/1", "reconciliation")
]


def bad(seen: dict[str, int]) -> dict[str, int]:
    """Addresses that failed, or were not found or not open any more."""
    return {name: code for name, code in seen.items() if not name.startswith("poller") and code >= 400}


def test_the_last_release_goes_on_working_while_and_after_the_schema_is_brought_up_to_date(
    releases, previous
):
    made = releases.flask(previous, "db", "upgrade")
    assert made.returncode == 0, made.stderr
    releases.drive(previous, "fill")
    before = releases.drive(previous, "use", "1")
    upgraded = releases.flask(ROOT, "db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert releases.revision() == newest_migration()
    assert releases.wrong_sums() == []
    assert releases.drive(ROOT, "close") == {"delivery": "closed"}
    after = releases.drive(previous, "use", "2")
    assert releases.wrong_sums() == [], "the last release's changes are counted too"
    assert bad(before) == bad(after)
    assert not {name: code for name, code in after.items() if code >= 500}
    assert after.keys() == before.keys()
    assert 0 < releases.open_for_days() <= 7
    assert {after[page] for page in TELL_OF_A_CLOSED_DELIVERY} == {200}
    assert (after["login"], after["api: pay"], after["poller: deliveries"]) == (303, 201, 1)


def test_upgrading_by_an_older_release_on_a_newer_schema_is_a_sentence_and_no_error(
    cloned_database, redis_url
):
    releases = Releases(cloned_database, redis_url)
    releases.ask("UPDATE alembic_version SET version_num = '9999' RETURNING 1")
    done = releases.flask(ROOT, "db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert releases.revision() == "9999"
    assert "9999, which a newer release made: nothing to do" in done.stdout
