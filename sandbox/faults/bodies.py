"""F14 and F19: the numbers of the threshold, and the bytes of the whole body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.edits import edited
from sandbox.faults.kinds import Kind, register
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault


def _threshold(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    def change(document: Any) -> None:
        document["currentTimeframeRequestCount"] = int(rule.params["used"])
        document["externalRequestThreshold"] = int(rule.params["limit"])

    return edited(answer, change)


def _bytes(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    how = rule.params["encoding"]
    if how == "bom":
        answer.body = b"\xef\xbb\xbf" + answer.body
    elif how == "utf16":
        answer.body = answer.body.decode("utf-8", "replace").encode("utf-16")
    else:
        answer.body = answer.body.replace(b'":"', b'":"\xff\xfe', 1)
    return answer


register(
    Kind(
        "F14",
        "threshold_used",
        "ThresholdInformation says that so much is used (add_other_usage makes it true)",
        {"used": 4_600, "limit": 10_000},
        times=0,
        verb="threshold",
        reshape=_threshold,
    )
)
register(
    Kind(
        "F19",
        "bad_encoding",
        "the body is no plain UTF-8",
        {"encoding": "invalid_utf8"},
        reshape=_bytes,
        choices={"encoding": ("invalid_utf8", "bom", "utf16")},
    )
)
