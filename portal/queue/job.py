"""What may stand in Redis: a job of this table, with ids for arguments. Redis is not trusted: whatever else lies
there is refused before anything of it is looked up, imported or run.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

from redis.exceptions import ConnectionError, TimeoutError
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

# Function and the names of its arguments; each argument is an id.
JOBS: dict[str, tuple[str, ...]] = {
    "jobs.deliver.deliver_due": ("tenant_id",),
    "jobs.mail.send_due": (),
    "jobs.sync.run_sync": ("tenant_id", "run_id"),
    "jobs.webhooks.send_due": (),
    "jobs.tick_jobs.due_work": (),
    "jobs.tick_jobs.sweep": (),
    "jobs.tick_jobs.upkeep": (),
    "jobs.uploads.work_on": ("tenant_id", "file_id"),
}
LARGEST_ID = 2**63 - 1
# The portal's own are under 1,000 bytes a field; compressed text grows a thousandfold when it is read.
LONGEST_FIELD = 10_000
# Other things that RQ would do for a job, by the names of its attributes.
EXTRAS = (
    "_success_callback_name", "_failure_callback_name", "_stopped_callback_name", "webhooks", "_dependency_ids",
    "group_id", "repeats_left", "retries_left", "rate_limit_key", "_unreadable_meta",
)  # fmt: skip


class JobRefused(ValueError):
    """This is no job of the portal; str() says what is wrong with it."""


def check_call(path: Any, arguments: Sequence[Any]) -> None:
    """Raises JobRefused unless `path` stands in the table and takes exactly these ids."""
    names = JOBS.get(path) if isinstance(path, str) else None
    if names is None:
        raise JobRefused(f"{str(path)[:100]!r} is no job of the portal")
    if not isinstance(arguments, Sequence) or len(arguments) != len(names):
        raise JobRefused(f"{path} takes {len(names)} arguments")
    for name, value in zip(names, arguments, strict=True):
        if type(value) is not int or not 0 < value <= LARGEST_ID:
            raise JobRefused(f"{path}: {name} is not an id")


class JsonJob(Job):
    """A job of the table. It is JSON whatever serializer the caller names, and has no callbacks."""

    success_callback = failure_callback = stopped_callback = None

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        super().__init__(id, connection, JSONSerializer)

    @property
    def func(self) -> Callable[..., Any]:
        """The function to run. Raises JobRefused before anything is imported."""
        self.check()
        return import_attribute(str(self.func_name))

    @classmethod
    def checked(cls, job_id: bytes, connection: Any) -> Self:
        """The job of an id. Raises NoSuchJobError, and JobRefused for what is no job of the portal."""
        try:
            job = cls(job_id.decode(), connection)
            job.refresh()
            job.check()
            return job
        except (NoSuchJobError, JobRefused, ConnectionError, TimeoutError):
            raise
        except Exception as error:  # whatever somebody wrote there, in whatever form
            raise JobRefused(f"it cannot be read ({type(error).__name__})") from error

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        if any(len(value) > LONGEST_FIELD for value in raw_data.values()):
            raise JobRefused("it is larger than any job of the portal")
        super().restore(raw_data)

    def check(self) -> None:
        """Raises JobRefused unless the job stands in the table and asks RQ for nothing besides."""
        check_call(self.func_name, self.args)
        if self.instance is not None or self.kwargs:
            raise JobRefused(f"{self.func_name} takes ids only")
        extras = [name.strip("_") for name in EXTRAS if getattr(self, name)]
        if extras or set(self.meta) - {"interval"}:
            raise JobRefused(f"{self.func_name} comes with {', '.join(extras) or 'notes'}")
