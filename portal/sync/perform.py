"""Does a run: claims it, reads with nothing open in between, and ends it in one named outcome.

Safe to call for any run at any time, by several workers at once: only one of them gets the lease.
"""

import random

import structlog

from portal import storage
from portal.autotask.client import Client
from portal.autotask.errors import AutotaskError, Retryable, Throttled, Unauthorized
from portal.connect import NotConnected, Paused, calling_to
from portal.database import claims
from portal.extensions import db
from portal.models import RunState, SyncTrigger
from portal.queue import DELIVERIES, bell
from portal.sync import bad_records, flood, run_lease, runs, what_to_read
from portal.sync.completion import complete
from portal.sync.current_run import Cancelled, LeaseLost, Running, TurnOver

DELIVER_JOB = "jobs.deliver.deliver_due"

# Seconds between tries that did not get on. A person at the terminal waits for the second kind.
PAUSES = (5, 20, 60, 180, 300)
SHORT_PAUSES = (1, 4)

FAULT = "The portal failed while it worked on this run. It was recorded for support; press Retry to go on."

GIVES_WAY = "Other partners' reads come first for a moment; it goes on by itself where it stopped."

log = structlog.get_logger(__name__)


def perform(run_id: int) -> bool:
    """Claims the run and works on it until it ends or must wait. False when it was not to be had."""
    with claims.living():
        return _perform(run_id)


def _perform(run_id: int) -> bool:
    running = Running.claim(run_id)
    if running is None:
        return False
    structlog.contextvars.bind_contextvars(sync_run_id=run_id, sync_kind=running.task.kind)
    try:
        calling_to(running.task.integration, lambda client: _work(running, client))
        complete(running)
        claims.answered(running.task.token)
    except LeaseLost:
        db.session.rollback()
        log.info("sync.lease_lost")
    except Cancelled:
        _end(running, RunState.CANCELLED, None, None)
    except TurnOver:
        _wait(running, 0.0, "turn", GIVES_WAY, tries=None)
        runs.ring_all([(running.task.integration.tenant_id, run_id)])
    except Exception as error:
        db.session.rollback()
        _failed(running, error)
    finally:
        structlog.contextvars.unbind_contextvars("sync_run_id", "sync_kind")
    if running.writer.touched_invoices:
        bell(DELIVERIES, DELIVER_JOB, running.task.integration.tenant_id)
    return True


def _work(running: Running, client: Client) -> None:
    running.task.look_up()
    running.begin_again_if_moved(client.address)
    with running.calls.of(client):
        what_to_read.carry_out(running, client)


def _failed(running: Running, error: Exception) -> None:
    """Waits and goes on later where that can help; otherwise the run ends with the reason."""
    if isinstance(error, Paused):
        _wait(running, error.retry_after or 300.0, "budget", str(error), tries=None)
    elif isinstance(error, flood.Flood):
        _wait(running, flood.PAUSE_SECONDS, "flood", str(error), tries=None)
    elif isinstance(error, (NotConnected, Unauthorized)):
        _end(running, RunState.FAILED, "not_connected", str(error))
    elif isinstance(error, Retryable):
        _again(running, error)
    elif isinstance(error, (AutotaskError, bad_records.TooManyBad, storage.StorageFailed)):
        _end(running, RunState.FAILED, "refused", _with_reasons(error))
    else:
        log.error("sync.fault", exc_info=error)
        _end(running, RunState.FAILED, "fault", FAULT)


def _again(running: Running, error: Retryable) -> None:
    """Tries again after a growing, jittered pause; committed pages make the count start anew."""
    pauses = SHORT_PAUSES if running.task.trigger == SyncTrigger.COMMAND else PAUSES
    tries = running.checkpoint.tries
    if tries >= len(pauses):
        _end(running, RunState.FAILED, "unavailable", str(error))
        return
    pause = random.uniform(pauses[tries] / 2, pauses[tries])  # noqa: S311
    if isinstance(error, Throttled) and error.retry_after:
        pause = max(pause, error.retry_after)
    _wait(running, pause, "unavailable", str(error), tries=tries + 1)


def _wait(running: Running, seconds: float, kind: str, reason: str, *, tries: int | None) -> None:
    running.save_calls()
    known = tries if tries is not None else running.checkpoint.tries
    run_lease.postpone(running.task.run_id, running.task.token, seconds, kind, reason, known)
    db.session.commit()
    claims.answered(running.task.token)


def _end(running: Running, state: RunState, kind: str | None, reason: str | None) -> None:
    running.save_calls()
    ours = run_lease.end(running.task.run_id, running.task.token, state, kind, reason)
    if ours and state == RunState.FAILED and reason:
        run_lease.tell_failed(runs.get(running.task.run_id), reason)
    db.session.commit()
    claims.answered(running.task.token)


def _with_reasons(error: Exception) -> str:
    texts = [text for text in getattr(error, "texts", []) if text not in str(error)]
    return " ".join([str(error), *texts[:3]])
