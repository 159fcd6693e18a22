"""Whatever a process of the portal writes goes through the one form of log lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.rules.test_imports import ROOT, files, imports

# What writes past the form, or makes loggers that know no ids. Migrations and gunicorn.conf.py count as well.
CALLS = {
    "print",
    "logging.getLogger",
    "logging.basicConfig",
    "logging.info",
    "logging.warning",
    "logging.error",
    "logging.exception",
    "sys.stderr.write",
    "sys.stdout.write",
    "os.write",
    "traceback.print_exc",
    "traceback.print_exception",
    "warnings.warn",
    "structlog.configure",
    "structlog.PrintLogger",
    "app.logger",
    "current_app.logger",
}
# file: why it may
ALLOWED = {
    "portal/logs/lines.py": "it is the form",
    "jobs/guard.py": "wakes itself through a pipe",
}
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "say"}


def deployed() -> Iterator[Path]:
    for folder in ("portal", "jobs", "migrations"):
        yield from files(folder)
    yield from (ROOT / "wsgi.py", ROOT / "gunicorn.conf.py")


def written_past_the_form(source: str) -> set[str]:
    names = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    return names & CALLS


def unnamed_events(source: str) -> set[str]:
    """First words of log calls that are no event name such as `payment.recorded`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LOG_METHODS
        ):
            target = ast.unparse(node.func.value)
            if target in ("log", "after_commit") or target.startswith("structlog.get_logger"):
                first = node.args[0]
                if isinstance(first, ast.Constant) and not _is_event(str(first.value)):
                    found.add(str(first.value))
    return found


def _is_event(words: str) -> bool:
    noun, dot, rest = words.partition(".")
    return bool(dot) and all(part and part.replace("_", "").islower() for part in (noun, rest))


def test_nothing_is_written_past_the_form():
    found = {
        f"{name}: {', '.join(sorted(calls))}"
        for path in deployed()
        if (name := str(path.relative_to(ROOT))) not in ALLOWED
        and (calls := written_past_the_form(path.read_text()))
    }
    assert found == set()


def test_every_line_has_an_event_name():
    found = {
        f"{path.relative_to(ROOT)}: {event}"
        for path in deployed()
        for event in unnamed_events(path.read_text())
    }
    assert found == set()


def test_every_exception_to_the_rule_is_still_needed():
    assert {name for name in ALLOWED if not written_past_the_form((ROOT / name).read_text())} == set()


def test_what_runs_without_the_portal_loads_none_of_it():
    """gunicorn's master and the supervisor write the form with the standard library alone."""
    assert imports((ROOT / "jobs/lines.py").read_text(), "jobs.lines") <= {
        "json", "logging", "os", "traceback", "datetime", "datetime.UTC", "datetime.datetime",
        "typing", "typing.Any",
    }  # fmt: skip


def test_the_guard_sees_what_is_written_past_the_form():
    """The guard itself, shown once to fail."""
    assert written_past_the_form("import logging\nprint(1)\nlogging.getLogger('x').info('y')") == {
        "print", "logging.getLogger"
    }  # fmt: skip
    assert unnamed_events('log.info("Payment was recorded", id=1); log.info("payment.recorded")') == {
        "Payment was recorded"
    }
