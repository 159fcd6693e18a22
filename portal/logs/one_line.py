"""What somebody typed neither ends a line, nor turns one around, nor moves a terminal: such signs are written out."""

from typing import Any

from structlog.typing import EventDict

CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
BREAKS = (0x2028, 0x2029)
DIRECTIONS = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
WRITTEN_OUT = {sign: f"\\u{sign:04x}" for sign in (*CONTROLS, *BREAKS, *DIRECTIONS)}
OF_SEVERAL_LINES = ("exception", "stack")


def in_json(_: Any, __: str, line: str) -> str:
    """After the JSON was written: these signs stand inside strings only, where JSON reads them back."""
    return line.translate(WRITTEN_OUT)


def in_text(_: Any, __: str, values: EventDict) -> EventDict:
    """Before the line is drawn for a terminal; tracebacks keep their lines."""
    return {
        name: value.translate(WRITTEN_OUT)
        if isinstance(value, str) and name not in OF_SEVERAL_LINES
        else value
        for name, value in values.items()
    }
