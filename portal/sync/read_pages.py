"""Reads a resource page by page; each page is one transaction together with its checkpoint."""

from collections.abc import Sequence
from typing import Any

from portal.autotask import filters
from portal.autotask.client import Client
from portal.autotask.filters import Condition
from portal.autotask.paging import HIGHEST_ID, id_of
from portal.connect.slots import held
from portal.extensions import db
from portal.sync import counts, marks
from portal.sync.ahead import Source, ahead
from portal.sync.checkpoint import Step
from portal.sync.current_run import Running
from portal.sync.resources import Resource

MOST_ABSENT = 20_000  # ids that one run looks at one by one; the next complete read goes on with the others
NOT_LOOKED_AT = "not in Autotask's answer, and left for the next complete read"
NOT_SENT = "counted by Autotask but not in its answer"


def read(
    running: Running,
    client: Client,
    name: str,
    resource: Resource,
    conditions: Sequence[Condition],
    *,
    complete: bool = False,
    only: str = "true",
) -> Step:
    """Reads what matches from where the checkpoint left off. `complete` notes which rows here the answer lacks."""
    step = _begin(running, name, resource, complete, only)
    if step.done:
        return step
    running.progress.words = resource.words
    running.begin_query(resource.entity)
    source = _source(running, client, step, resource, conditions)
    with held(client, resource.entity), ahead(source) as coming:
        for came in coming:
            running.clock.read_at = came.asked_at
            _take_in(running, client, step, resource, came.page, only)
    if step.complete:
        _note_absent(running, step, resource, HIGHEST_ID, [], only)
    step.done = True
    if step.complete:
        running.save()  # else nothing was looked up since the last page, and what comes next saves
    return step


def _source(
    running: Running, client: Client, step: Step, resource: Resource, conditions: Sequence[Condition]
) -> Source:
    counted = (running.checkpoint.counts or {}).get(resource.entity, 0)
    return Source(
        client=client,
        entity=resource.entity,
        pages=lambda one, more, after: resource.pages(one, [*conditions, *more], after),
        after_id=max(step.last_id, 0),
        expected=counted - step.rows,
        time=lambda: running.clock.read_at,
        counted=running.calls.of,
    )


def _take_in(
    running: Running, client: Client, step: Step, resource: Resource, page: list[Any], only: str
) -> None:
    """Writes a page and, in the same transaction, how far the read has come."""
    resource.consume(running, client, page)
    ids = [row_id for row in page if (row_id := id_of(row)) is not None]
    last_id = max(ids, default=step.last_id)
    if step.complete:
        _note_absent(running, step, resource, last_id, ids, only)
    step.last_id = last_id
    step.rows += len(page)
    running.save_page(page)
    running.give_way()


def _begin(running: Running, name: str, resource: Resource, complete: bool, only: str) -> Step:
    if name not in running.checkpoint.steps:
        step = running.checkpoint.begin(name, running.clock.read_at)
        step.complete = complete and resource.table is not None
        if step.complete:
            assert resource.table is not None
            step.known = marks.known(running.task.integration.id, resource.table, only)
    if running.checkpoint.steps[name].complete or not running.was_saved_just_now:
        running.save()  # also a fresh reading of the database's clock before the first request
    db.session.commit()
    return running.checkpoint.steps[name]


def _note_absent(
    running: Running, step: Step, resource: Resource, high: int, present: list[int], only: str
) -> None:
    if not step.known or resource.table is None:
        return
    absent = marks.absent(running.task.integration.id, resource.table, step.last_id, high, present, only)
    room = MOST_ABSENT - len(step.absent)
    step.absent += absent[:room]
    counts.skip(running.items, resource.item, NOT_LOOKED_AT, len(absent[room:]))


def read_by_id(
    running: Running, client: Client, name: str, resource: Resource, ids: Sequence[int]
) -> list[int]:
    """Reads records by their ids, whatever the filters; the ids that Autotask does not have."""
    if not ids:
        return []
    step = _begin(running, name, resource, False, "true")
    if step.done:
        return step.gone
    running.progress.words = resource.words
    left = [autotask_id for autotask_id in sorted(set(ids)) if autotask_id > step.checked]
    with held(client, resource.entity):
        for condition in filters.ids_in("id", left):
            running.begin_query(resource.entity)
            found: set[int] = set()
            for page in resource.pages(client, [condition]):
                resource.consume(running, client, page)
                found.update(row_id for row in page if (row_id := id_of(row)) is not None)
                running.save_page(page)
            step.gone += [autotask_id for autotask_id in condition["value"] if autotask_id not in found]
            step.checked = condition["value"][-1]
            running.save()
            running.give_way()
    step.done = True
    running.save()
    return step.gone


def count_all(running: Running, client: Client, wanted: Sequence[tuple[str, Sequence[Condition]]]) -> None:
    """Asks how many records there are, so that the bar of a complete read is honest. Once in a run."""
    if running.checkpoint.counts is not None:
        return
    found = {entity: client.count(entity, list(conditions)) for entity, conditions in wanted}
    running.checkpoint.counts = found
    running.progress.total = sum(found.values())
    running.save()


def check_count(
    running: Running, client: Client, step: Step, resource: Resource, wanted: Sequence[Condition]
) -> None:
    """Asks once more, after a complete read, how many there are; what Autotask counts but did not send is told."""
    if step.counted is not None:
        return
    before = (running.checkpoint.counts or {}).get(resource.entity, 0)
    step.counted = after = client.count(resource.entity, list(wanted))
    # What came or went meanwhile is in one of the two counts only.
    counts.skip(running.items, resource.item, NOT_SENT, max(min(before, after) - step.rows, 0))
    running.save()
