"""Files in an S3 bucket: against moto's server on this machine, through the same calls as in the database."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from flask import Flask

from jobs import upkeep
from jobs.upkeep import Duty
from portal import storage
from portal.config import ConfigError, load
from portal.extensions import db
from portal.models import StoredFile
from tests import factories

SECRET = "a-secret-that-no-log-may-hold"
DATA = b"%PDF-1.7 " + b"x" * 100_000


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that keeps buckets in memory."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(app: Flask, s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The app keeps its files in an empty bucket of that server."""
    requests.post(f"{s3}/moto-api/reset", timeout=5)
    requests.put(f"{s3}/portal-files", timeout=5)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "portal",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": s3,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    app.config["STORAGE_URL"] = "s3://portal-files/pdfs"
    with app.app_context():
        yield s3
    app.extensions.pop("storage", None)


def keys(s3: str) -> list[str]:
    listing = requests.get(f"{s3}/portal-files?list-type=2", timeout=5).text
    return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


def test_a_file_is_kept_replaced_found_and_taken_away(bucket: str) -> None:
    storage.put(7, "invoices/1.pdf", b"first")
    storage.put(7, "invoices/1.pdf", DATA)

    assert storage.get(7, "invoices/1.pdf") == DATA
    assert keys(bucket) == ["pdfs/7/invoices/1.pdf"]
    storage.remove(7, "invoices/1.pdf")
    storage.remove(7, "invoices/1.pdf")
    assert keys(bucket) == []


def test_a_file_that_is_not_there_is_none_and_partners_do_not_share(bucket: str) -> None:
    storage.put(7, "invoices/1.pdf", DATA)

    assert storage.get(8, "invoices/1.pdf") is None
    assert storage.get(7, "invoices/2.pdf") is None


def test_a_file_that_is_dropped_goes_with_the_next_upkeep_unless_it_came_again(bucket: str) -> None:
    partner = factories.tenant()
    with factories.inside(partner):
        for number in "123":
            storage.put(partner.id, f"invoices/{number}.pdf", DATA)
        storage.drop(partner.id, ["invoices/1.pdf", "invoices/2.pdf", "invoices/9.pdf"])
        storage.drop(partner.id, ["invoices/1.pdf"])
        db.session.commit()
        storage.want_again(partner.id, "invoices/2.pdf")
        storage.put(partner.id, "invoices/2.pdf", b"anew")
        db.session.commit()
        storage.drop(partner.id, ["invoices/3.pdf"])
        db.session.rollback()
    assert upkeep.do_due((Duty("files", timedelta(), storage.remove_dropped),)) == ["files"]
    assert keys(bucket) == [f"pdfs/{partner.id}/invoices/{number}.pdf" for number in "23"]
    with factories.inside(partner):
        assert db.session.query(StoredFile).count() == 0


def test_what_cannot_be_taken_away_now_is_taken_away_later(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = factories.tenant()
    with factories.inside(partner):
        storage.put(partner.id, "a", DATA)
        storage.drop(partner.id, ["a"])
        db.session.commit()
    requests.post(f"{bucket}/moto-api/reset-auth", data=b"0", timeout=5)
    with pytest.raises(storage.StorageFailed):
        storage.remove_dropped()
    db.session.rollback()
    requests.post(f"{bucket}/moto-api/reset-auth", data=b"inf", timeout=5)
    storage.remove_dropped()
    assert keys(bucket) == []


def test_a_refused_key_is_told_in_plain_words_and_no_secret_is_logged(
    bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    requests.post(f"{bucket}/moto-api/reset-auth", data=b"0", timeout=5)
    try:
        for act in (
            lambda: storage.put(7, "a", DATA),
            lambda: storage.get(7, "a"),
            lambda: storage.remove(7, "a"),
        ):
            with pytest.raises(storage.StorageFailed, match="refuses the portal") as caught:
                act()
            assert SECRET not in repr(caught.value)
    finally:
        requests.post(f"{bucket}/moto-api/reset-auth", data=b"inf", timeout=5)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("url", ["s3://no-such-bucket", "s3://portal-files"])
def test_a_storage_that_is_away_is_told_in_plain_words(
    bucket: str, app: Flask, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    if url == "s3://portal-files":
        monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    app.config["STORAGE_URL"] = url

    with pytest.raises(storage.StorageFailed, match="could not be reached, or has no such bucket"):
        storage.put(7, "a", DATA)


def test_only_a_bucket_or_the_database_can_be_named() -> None:
    """A dyno's disk is lost with the dyno."""
    environment = {
        "SECRET_KEY": "x" * 32,
        "ENCRYPTION_KEYS": f"1:{'A' * 43}=",
        "AUDIT_KEYS": "k" * 32,
        "DATABASE_URL": "postgres://a/b",
    }
    environment |= {"REDIS_URL": "rediss://a", "STORAGE_URL": "file:///tmp/files"}
    with pytest.raises(ConfigError, match="STORAGE_URL"):
        load(environment)
