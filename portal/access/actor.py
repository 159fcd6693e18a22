"""Who acts: the user acted as, and the true user at the keyboard."""

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    WEB = "web"
    API = "api"
    COMMAND = "command"
    SCHEDULE = "schedule"
    WORKER = "worker"


@dataclass(frozen=True)
class Actor:
    """Both people of an action. Without users it is an API key, the system or an operator, told by `source`."""

    source: Source
    user_id: int | None = None
    true_user_id: int | None = None
    visit_id: int | None = None
    request_id: str = ""
    api_key: str = ""

    @classmethod
    def system(cls, source: Source = Source.WORKER) -> "Actor":
        return cls(source=source)

    @classmethod
    def of(cls, user_id: int, request_id: str = "") -> "Actor":
        """A person at the keyboard, as themselves."""
        return cls(Source.WEB, user_id, user_id, None, request_id)
