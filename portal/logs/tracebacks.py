"""What failed, where and why, as data for one log line: without local variables, SQL parameters or people's data."""

import re
import sys
import traceback
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

ROOT = Path(__file__).resolve().parents[2]
MOST_ERRORS, MOST_FRAMES, MOST_FOREIGN_FRAMES, LONGEST_TEXT = (
    4,
    20,
    3,
    400,
)  # together under the 10,000 bytes that platforms cut at
DATA_EXCEPTION = "22"

# PostgreSQL repeats values in these parts of its messages; SQLAlchemy in the last.
REPEATED = re.compile(
    r"(DETAIL|CONTEXT):.*?(?=\n(?:HINT|QUERY|LINE|LOCATION|\[SQL|Traceback|The above|During|  File )|\n\n|\Z)"
    r"|\[parameters: .*?\](?=\n|\Z)",
    re.DOTALL,
)
E_MAIL = re.compile(r"[^\s@<>\"'(\[=,:/]+@[^\s@<>\"')\],;]+\.[A-Za-z]{2,}")


def described(error: BaseException) -> list[dict[str, Any]]:
    """The error and what led to it, newest first: `type`, `message`, and `frames` from the outside in."""
    found: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(found) < MOST_ERRORS:
        kind = type(current)
        found.append(
            {
                "type": f"{kind.__module__}.{kind.__qualname__}",
                "message": said(current),
                "frames": _frames(current),
            }
        )
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def said(error: BaseException) -> str:
    """The error's own words without the values that it was about."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        statement = f" [SQL: {' '.join(error.statement.split())}]" if error.statement else ""
        return _cut(said(error.orig) + statement)
    if isinstance(error, psycopg.Error):
        return _cut(_said_by_postgresql(error))
    return _cut(without_data(str(error)))


def without_data(text: str) -> str:
    """A text of others without the parts that repeat what people typed."""
    if "DETAIL:" in text or "CONTEXT:" in text or "[parameters:" in text:
        text = REPEATED.sub(lambda found: f"{found[1] or 'parameters'}: (hidden)", text)
    return E_MAIL.sub("(e-mail)", text) if "@" in text else text


def _said_by_postgresql(error: psycopg.Error) -> str:
    words = error.diag.message_primary or str(error).partition("\n")[0]
    if (error.sqlstate or "").startswith(DATA_EXCEPTION):
        words = words.partition(': "')[0]
    where = [error.diag.table_name, error.diag.column_name, error.diag.constraint_name]
    names = ".".join(name for name in where if name)
    return without_data(words) + (f" ({names})" if names and names not in words else "")


def _frames(error: BaseException) -> list[str]:
    """`file:line function` of our own calls, and of the last ones in other people's packages."""
    calls = traceback.extract_tb(error.__traceback__)
    last = len(calls) - MOST_FOREIGN_FRAMES
    told = [call for number, call in enumerate(calls) if number >= last or _is_ours(call.filename)]
    shown = [f"{_place(call.filename)}:{call.lineno} {call.name}" for call in told[-MOST_FRAMES:]]
    return [f"({len(calls) - len(shown)} more)", *shown] if len(calls) > len(shown) else shown


def _is_ours(file: str) -> bool:
    return file.startswith(f"{ROOT}/") and "site-packages" not in file


def _place(file: str) -> str:
    head, found, tail = file.rpartition("site-packages/")
    if found:
        return tail
    for folder in (str(ROOT), sys.base_prefix):
        if file.startswith(folder + "/"):
            return file[len(folder) + 1 :]
    return head or file


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
