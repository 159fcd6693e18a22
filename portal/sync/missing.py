"""What is here but not in Autotask's answer. It counts only after a complete read, and never archives anything.

A suddenly empty answer, or one that lacks more than a tenth, closes nothing: a person is asked (rule 3.9).
"""

from collections.abc import Sequence
from typing import Any

from portal import attention
from portal.autotask.client import Client
from portal.models import Cause, ExceptionItem, SyncKind
from portal.sync import marks, read_pages, whereabouts
from portal.sync.checkpoint import Step
from portal.sync.current_run import Running
from portal.sync.resources import Resource
from portal.sync.task import Task, Writer

MOST_LACKING = 0.10


def judge(running: Running, client: Client, step: Step, resource: Resource) -> None:
    """Looks by id at what the complete read lacked: changed, outside the filters, or no longer in Autotask."""
    if resource.table is None or not step.complete or step.judged:
        return
    if not step.absent and resource.subject not in running.memory.asked:
        return
    gone = step.absent
    if not _is_suspicious(step, len(step.absent)) or _may_have_left(running.task):
        gone = read_pages.read_by_id(running, client, f"{resource.subject} by id", resource, step.absent)
    if gone:
        whereabouts.make_sure(running.task)
    settle(running.writer, step, resource, gone)
    step.judged = True
    running.save()


def settle(by: Writer, step: Step, resource: Resource, gone: Sequence[int]) -> None:
    """Marks what is gone, or asks when that is too much to believe."""
    assert resource.table is not None
    step.doubted = _is_suspicious(step, len(gone))
    if step.doubted:
        _ask(by.run_id, step, resource, gone)
    else:
        marks.missing(by, resource.table, gone)
        attention.close_items(Cause.SUSPICIOUS_READ, "sync_run", [resource.subject])


def _may_have_left(task: Task) -> bool:
    """With filters on, or in a read of unpaid ones, many can be lacking for a good reason."""
    return not task.filters.empty or task.kind == SyncKind.UNPAID


def _is_suspicious(step: Step, lacking: int) -> bool:
    if not lacking:
        return False
    if step.last_id < 0 and lacking == step.known:
        return True
    return lacking > 1 and lacking > step.known * MOST_LACKING


def _ask(run_id: int, step: Step, resource: Resource, gone: Sequence[int]) -> None:
    """One exception that says how much is lacking; a person says whether that is so."""
    words = resource.words.lower()
    all_looked_at = len(step.absent) < read_pages.MOST_ABSENT
    lacking = f"{len(gone):,}" if all_looked_at else f"At least {len(gone):,}"
    attention.open_item(
        Cause.SUSPICIOUS_READ,
        "sync_run",
        resource.subject,
        label=f"{lacking} of {step.known:,} {words} were not in Autotask's answer",
        detail=(
            f"The last complete read lacked {lacking.lower()} of the {step.known:,} {words} known here. That is more than "
            "a deletion usually takes, so nothing was marked. The API user may have lost the right to see them, or "
            "a line of business. If they really were deleted, say so; otherwise check the user in Autotask and "
            "read again."
        ),
        ours={"known": step.known},
        theirs={"lacking": len(gone), "autotask_ids": list(gone)},
        run_id=run_id,
    )


def accept(item: ExceptionItem, integration_id: int) -> int:
    """A person says that what a suspicious read lacked is really gone; how many were marked. The caller commits."""
    ids: Any = item.theirs.get("autotask_ids", [])
    table = item.subject_key
    if table not in marks.TABLES or item.run_id is None:
        raise ValueError(f"{table} is nothing that can be missing")
    by = Writer(integration_id, item.run_id)
    return marks.missing(by, table, [autotask_id for autotask_id in ids if isinstance(autotask_id, int)])
