"""The bell: heard in JSON when Redis is there, counted and forgotten when it is not (rule 5.3)."""

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from local.servers import free_port
from portal import queue
from portal.queue import DELIVERIES, SYNCS, bell
from portal.queue.job import JobRefused, JsonJob


def jobs(redis_url: str, name: str) -> list[JsonJob]:
    with Redis.from_url(redis_url) as connection:
        held = Queue(name, connection=connection, job_class=JsonJob, serializer=JSONSerializer)
        return held.get_jobs()


def test_a_call_that_no_worker_would_accept_is_not_rung(app) -> None:
    with app.app_context(), pytest.raises(JobRefused):
        bell(DELIVERIES, "jobs.deliver.deliver_one", 7)


@pytest.fixture
def redis_is_down(app) -> None:
    app.config["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"


def test_a_bell_carries_ids_only(app, redis_url) -> None:
    with app.app_context():
        assert bell(DELIVERIES, "jobs.sync.run_sync", 7, 12)
    (job,) = jobs(redis_url, DELIVERIES)
    assert (job.func_name, job.args, job.kwargs) == ("jobs.sync.run_sync", [7, 12], {})
    assert job.id.startswith("run_sync-7-12-")


def test_a_second_ring_is_a_job_of_its_own(app, redis_url) -> None:
    with app.app_context():
        assert bell(SYNCS, "jobs.sync.run_sync", 7, 1)
        assert bell(SYNCS, "jobs.sync.run_sync", 7, 1)
    assert len({job.id for job in jobs(redis_url, SYNCS)}) == 2


def test_a_lost_redis_makes_no_error_and_is_counted(app, redis_is_down) -> None:
    before = queue.lost_bells["count"]
    with app.app_context():
        assert not bell(DELIVERIES, "jobs.sync.run_sync", 7, 12)
    assert queue.lost_bells["count"] == before + 1


def test_requests_wait_a_quarter_of_a_second_for_redis_and_never_try_twice(app) -> None:
    with app.app_context():
        settings = queue.web_redis().connection_pool.connection_kwargs
    assert (settings["socket_timeout"], settings["socket_connect_timeout"]) == (0.25, 0.25)
    assert settings["retry"].get_retries() == 0


def test_one_client_serves_all_requests(app) -> None:
    with app.app_context():
        first = queue.web_redis()
    with app.app_context():
        assert queue.web_redis() is first


def test_an_encrypted_address_is_asked_as_the_settings_say(app, monkeypatch) -> None:
    app.config["REDIS_URL"] = "rediss://:word@127.0.0.1:6380"
    monkeypatch.setitem(app.config, "REDIS_OPTIONS", {"ssl_cert_reqs": "none"})
    with app.app_context():
        assert queue.worker_redis().connection_pool.connection_kwargs["ssl_cert_reqs"] == "none"
