"""The steps of a timeline."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Step:
    """One entry of a timeline; `todo` ones have not happened yet."""

    title: str
    state: str = "recorded"
    at: datetime | None = None
    by: str = ""
    text: str = ""
    todo: bool = False
