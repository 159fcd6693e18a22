"""Is it still our Autotask that answers? An address that a partner has left may answer every query with nothing."""

from portal import connect
from portal.autotask.errors import Retryable
from portal.sync.task import Task


class Moved(Retryable):
    """The account lives elsewhere now; the run begins again there."""


def make_sure(task: Task) -> None:
    """Before an absence is believed, nothing unsaved: raises Moved when Autotask names another address now."""
    task.look_up()
    if connect.has_moved(task.integration):
        raise Moved("Autotask has moved this account to another address. Reading begins again there.")
