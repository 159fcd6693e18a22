"""Zone discovery, versions, threshold: the calls that are about the API itself."""

from __future__ import annotations

from sandbox.api.context import Context
from sandbox.api.messages import Answer, answer_json, invalid

DATABASE = 123456


def zone_information(context: Context) -> Answer:
    """Where the API of a user's partner lies; a user nobody knows gives 500 and the errors list."""
    world, call = context.world, context.call
    user = world.users.find(call.arguments().get("user", ""))
    if user is None:
        raise invalid("Zone information could not be determined")
    return answer_json(
        {
            "zoneName": f"Zone {world.zone}",
            "url": world.api_url(call),
            "webUrl": call.base + "/",
            "ci": DATABASE,
        }
    )


def version_information(context: Context) -> Answer:
    return answer_json({"apiVersions": ["V1.0", "V2.0"]})


def version(context: Context) -> Answer:
    return answer_json(
        {"majorVersion": "2026", "minorVersion": "3", "build": "1.0.57", "customerType": "Sandbox"}
    )


def threshold(context: Context) -> Answer:
    """The limit, its window in minutes and the calls made in it, this one included."""
    switches = context.world.switches
    return answer_json(
        {
            "externalRequestThreshold": switches.threshold,
            "requestThresholdTimeframe": switches.timeframe_minutes,
            "currentTimeframeRequestCount": context.world.usage.current(),
        }
    )
