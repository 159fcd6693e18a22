"""From a call to its answer: route, faults, login, limits, handler, log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sandbox.api import limited, routes, service
from sandbox.api.context import Context
from sandbox.api.messages import Answer, Call, Refusal, not_found_page, wrong_verb
from sandbox.api.routes import Found
from sandbox.clock import pause
from sandbox.faults import Fault
from sandbox.requestlog import BODY_KEPT, Request
from sandbox.world import FIRST_ZONE, World

PATH = re.compile(r"^(?:/zone(?P<zone>\d+))?/atservicesrest/(?P<rest>.*)$", re.IGNORECASE)


@dataclass
class Outcome:
    """What the wire is to send, and the faults that decide how it sends it."""

    answer: Answer
    request: Request
    delivery: list[Fault] = field(default_factory=list)


def is_api(path: str) -> bool:
    """Whether a path belongs to Autotask's API."""
    return PATH.match(path) is not None


def handle(world: World, call: Call) -> Outcome:
    """Answers one call of the API and writes it into the log."""
    request = _request(world, call)
    try:
        zone, found = _find(world, call)
    except Refusal as refusal:
        return _logged(world, request, refusal.answer(), [])
    request.entity, request.verb = found.endpoint, found.route.verb
    faults = world.faults.hits(request.entity, request.verb)
    answer = _with_faults(world, call, found, zone, faults)
    return _logged(world, request, answer, faults)


def failed(world: World, call: Call, answer: Answer) -> Outcome:
    """The outcome of a call that the sandbox itself could not answer."""
    return _logged(world, _request(world, call), answer, [])


def _request(world: World, call: Call) -> Request:
    body = call.body[:BODY_KEPT].decode("utf-8", "replace")
    return Request(world.clock.now(), call.method, call.path, "", call.method.lower(), call.query, body)


def _logged(world: World, request: Request, answer: Answer, faults: list[Fault]) -> Outcome:
    request.status, request.changed = answer.status, answer.changed
    request.says = answer.headers.get("Sandbox-Says", "")
    request.fault = ", ".join(one.kind for one in faults)
    delivery = [one for one in faults if one.delivers]
    if delivery:
        request.status = 0
    world.log.add(request)
    return Outcome(answer, request, delivery)


def _find(world: World, call: Call) -> tuple[int, Found]:
    matched = PATH.match(call.path)
    if matched is None:
        raise not_found_page()
    zone = int(matched["zone"] or FIRST_ZONE)
    segments = matched["rest"].strip("/").split("/")
    if segments[0].lower() == "versioninformation" and len(segments) == 1:
        if call.method != "GET":
            raise wrong_verb(call.method)
        return zone, Found(VERSION_INFORMATION, "VersionInformation", None, {})
    if segments[0].lower() != "v1.0" or len(segments) < 2:
        raise not_found_page()
    found = routes.find(call.method, segments[1:])
    strict = world.switches.path_case == "exact" and found.endpoint != "ZoneInformation"
    if strict and ("/ATServicesRest/V1.0/" not in call.path or not routes.is_exact(segments[1:])):
        raise not_found_page()
    return zone, found


VERSION_INFORMATION = routes.Route("GET", ("versioninformation",), "version", service.version_information)
OPEN = {"ZoneInformation", "VersionInformation"}


def _with_faults(world: World, call: Call, found: Found, zone: int, faults: list[Fault]) -> Answer:
    instead = next((one for one in faults if one.replaces), None)
    lost = any(not one.applied for one in faults)
    answer = Answer(200, b"{}") if lost else _answer(world, call, found, zone)
    if instead is not None:
        changed = answer.changed
        answer = instead.replacement(world, call)
        answer.changed = changed
    for one in faults:
        answer = one.reshaped(world, call, answer)
    return answer


def _answer(world: World, call: Call, found: Found, zone: int) -> Answer:
    try:
        if found.endpoint in OPEN:
            pause(world.switches.pace, world.stopped)
            return found.route.handler(Context(world, call, found.entity, found.ids))
        return limited.answer(world, call, found, zone)
    except Refusal as refusal:
        return refusal.answer()
