"""What nobody outside knows about Autotask is a switch, so that clients can be tried against each answer."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass
class Switches:
    """Each field is one uncertainty; its first listed choice is the default, the README says why."""

    patch: Literal["accepted", "refused"] = "accepted"
    patch_null: Literal["clears", "ignored", "error"] = "clears"
    put_omitted: Literal["clears", "ignored"] = "clears"
    totals: Literal["without_tax", "with_tax"] = "without_tax"
    missing: Literal["null", "404"] = "null"
    readonly_write: Literal["ignored", "error"] = "ignored"
    voided_write: Literal["accepted", "refused"] = "accepted"
    over_limit_status: int = 429
    thread_limit_status: int = 429
    retry_after: Literal["seconds", "date", "absent"] = "seconds"
    retry_after_seconds: int = 60
    dates_z: bool = True
    dates_written: Literal["any", "offset"] = "any"
    next_by_get: Literal["405", "empty"] = "405"
    wrong_zone: Literal["401", "empty"] = "401"
    forbidden: Literal["403", "500"] = "403"
    wrong_integration_code: Literal["401", "500"] = "401"
    inactive_user: Literal["401", "403", "500"] = "401"
    path_case: Literal["any", "exact"] = "any"
    pdf_wrapped: bool = False
    pdf_data: Literal["base64", "bytes"] = "base64"
    pdf_missing: Literal["500", "404", "null"] = "500"
    void_lines: Literal["release", "keep"] = "release"
    void_total: Literal["keep", "zero"] = "keep"
    void_number: Literal["keep", "cleared"] = "keep"
    uninvoiced: Literal["null", "zero"] = "null"
    operator_case: Literal["insensitive", "sensitive"] = "insensitive"
    picklist_values: Literal["null", "absent"] = "null"
    order: Literal["ascending", "descending"] = "ascending"
    tracked_changes: Literal["all", "some"] = "all"
    fresh_404: int = 0
    in_limit: int = 500
    page_positions: int = 0
    threads: int = 3
    lock_after: int = 5
    threshold: int = 10_000
    timeframe_minutes: int = 60
    latency: float = 1.0
    pace: float = 0.0

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, _checked(name, value))
        after = self.__dict__.get("_listeners", {}).get(name)
        if after is not None:
            after()

    def when_changed(self, name: str, listener: Any) -> None:
        """Calls `listener()` after each change of the switch."""
        self.__dict__.setdefault("_listeners", {})[name] = listener

    def update(self, values: dict[str, Any]) -> None:
        """Sets several; an unknown name or wrong value raises ValueError and changes nothing."""
        checked = {name: _checked(name, value) for name, value in values.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def reset(self) -> None:
        """Every switch back to its default."""
        for one in fields(self):
            setattr(self, one.name, one.default)


SAYS: dict[str, str] = {
    "patch": "PATCH, or PUT only",
    "patch_null": "PATCH with null",
    "put_omitted": "Field left out of a PUT",
    "totals": "invoiceTotal",
    "missing": "Get of a missing id",
    "readonly_write": "Writing a read-only field",
    "voided_write": "Writing to a voided invoice",
    "over_limit_status": "Status over the limit",
    "thread_limit_status": "Status of a fourth thread",
    "retry_after": "Retry-After",
    "retry_after_seconds": "Retry-After seconds",
    "dates_z": "Dates end with Z",
    "dates_written": "Dates it takes",
    "next_by_get": "GET on a POST page",
    "wrong_zone": "Call in the wrong zone",
    "forbidden": "No right to an entity",
    "wrong_integration_code": "Wrong integration code",
    "inactive_user": "Login of an inactive user",
    "path_case": "Letter case of paths",
    "pdf_wrapped": "PDF inside an item",
    "pdf_data": "PDF as text or bytes",
    "pdf_missing": "PDF of an unknown id",
    "void_lines": "Lines of a voided invoice",
    "void_total": "Total of a voided invoice",
    "void_number": "Number of a voided invoice",
    "uninvoiced": "Invoice of an uninvoiced line",
    "operator_case": "Operator spelling",
    "picklist_values": "Values of no picklist",
    "order": "Order of a query's ids",
    "tracked_changes": "Company changes that are stamped",
    "fresh_404": "Gets of a new record that fail",
    "in_limit": "Most values of an in",
    "page_positions": "Pages remembered (0: all)",
    "threads": "Threads per endpoint (0: any)",
    "lock_after": "Refusals that lock (0: none)",
    "threshold": "Calls allowed",
    "timeframe_minutes": "In so many minutes",
    "latency": "Factor of the latency tiers",
    "pace": "Seconds every call takes",
}


def choices() -> dict[str, list[str]]:
    """Switch name to its choices, or its type's name where any value goes."""
    hints = get_type_hints(Switches)
    return {name: _choices(hint) for name, hint in hints.items()}


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(one) for one in get_args(hint)]
    return ["true", "false"] if hint is bool else [hint.__name__]


_HINTS: dict[str, Any] = {}


def _checked(name: str, value: Any) -> Any:
    if not _HINTS:
        _HINTS.update(get_type_hints(Switches))
    hint = _HINTS.get(name)
    if hint is None:
        raise ValueError(f"there is no switch {name!r}; there are: {', '.join(_HINTS)}")
    if get_origin(hint) is Literal:
        if str(value) in get_args(hint):
            return str(value)
        raise ValueError(f"{name} can be {', '.join(get_args(hint))}, not {value!r}")
    return _typed(name, hint, value)


def _typed(name: str, hint: Any, value: Any) -> Any:
    if hint is bool:
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ValueError(f"{name} can be true or false, not {value!r}")
    try:
        number = hint(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is a number, not {value!r}") from error
    if number < 0:
        raise ValueError(f"{name} cannot be negative")
    return number
