"""The doors before a handler: login, zone, threads, usage, rights."""

from __future__ import annotations

from sandbox.api.context import Context
from sandbox.api.messages import Answer, Call, Refusal, answer_json, invalid
from sandbox.api.routes import Found
from sandbox.clock import pause
from sandbox.limits import over_limit, retry_after, too_many_threads
from sandbox.users import User
from sandbox.world import World

NO_RIGHT = "The logged in Resource does not have the adequate permissions to {verb} this entity type."
INACTIVE = "The resource of this API user is inactive."
DOCUMENTS = {"pdf": "InvoicePdf", "html": "InvoiceMarkupHtml", "xml": "InvoiceMarkupXml"}


def answer(world: World, call: Call, found: Found, zone: int) -> Answer:
    """The handler's answer, if all doors open. Raises Refusal otherwise."""
    tracking = call.headers.get("apiintegrationcode", "")
    with world.parallel.running(found.endpoint, tracking) as allowed:
        pause(world.switches.pace, world.stopped)
        queries = found.route.verb in ("query", "next") and world.switches.wrong_zone == "empty"
        user = _login(world, call, world.zone if queries else zone)
        if zone != world.zone:
            return _nothing()
        refusal = None if allowed else too_many_threads(world.switches)
        if refusal is None and world.usage.over():
            refusal = over_limit(world.switches)
        if refusal is not None:
            refused = refusal.answer()
            refused.headers |= retry_after(world.switches)
            return refused
        pause(world.usage.delay(), world.stopped)
        world.usage.add()
        _right(world, user, found)
        world.holds.pass_through(found.endpoint, found.route.verb)
        return found.route.handler(Context(world, call, found.entity, found.ids))


def _nothing() -> Answer:
    details = {"count": 0, "requestCount": 500, "prevPageUrl": None, "nextPageUrl": None}
    return answer_json({"items": [], "pageDetails": details})


def _login(world: World, call: Call, zone: int) -> User:
    """The user of the three headers. Whatever is wrong with them gives the same empty 401."""
    headers = call.headers
    name, secret = headers.get("username", ""), headers.get("secret", "")
    code = headers.get("apiintegrationcode", "")
    if zone == world.zone:
        user = world.users.admitted(name, secret, code, world.switches.lock_after)
        if user is not None:
            return user
        known = world.users.find(name)
        inactive = world.switches.inactive_user
        if known and known.secret == secret and not known.active and inactive != "401":
            raise Refusal(int(inactive), INACTIVE, kind="inactive")
        strict = world.switches.wrong_integration_code == "500"
        if strict and known and known.secret == secret and not known.locked:
            raise invalid("IntegrationCode is invalid.")
    raise unauthorized(zone)


class Unauthorized(Refusal):
    """401 with an empty body, whatever was wrong."""

    def __init__(self, zone: int) -> None:
        super().__init__(401, kind="unauthorized", body=b"")
        self.zone = zone

    def answer(self) -> Answer:
        refused = super().answer()
        refused.headers["www-authenticate"] = f'Basic Realm="webservices{self.zone}.autotask.net"'
        return refused


def unauthorized(zone: int) -> Refusal:
    return Unauthorized(zone)


def _right(world: World, user: User, found: Found) -> None:
    wanted = {found.endpoint, DOCUMENTS.get(found.route.verb, found.endpoint)}
    if wanted & user.forbidden:
        verb = "query" if found.route.method == "GET" or "query" in found.route.verb else "update"
        raise Refusal(int(world.switches.forbidden), NO_RIGHT.format(verb=verb), kind="forbidden")
