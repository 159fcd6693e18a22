"""Who may import whom: the table of the design, held over every file."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {".venv", ".local", "node_modules"}

# package: what of our own it may import, besides itself; from the edge inwards, then what looks at all of it
MAY_IMPORT = {
    "portal.autotask": {"portal.money", "portal.clock", "portal.counts"},
    "portal.models": {"portal.money", "portal.clock"},
    "portal.sync": {"portal.autotask", "portal.connect", "portal.ledger", "portal.models", "portal.access"},
    "portal.reconcile": {
        "portal.autotask",
        "portal.connect",
        "portal.ledger",
        "portal.models",
        "portal.access",
    },
    "portal.people": {"portal.models", "portal.access", "portal.mail", "portal.connect", "portal.sync"},
    "portal.mail": {"portal.models", "portal.access"},
    "portal.notices": {"portal.models", "portal.access", "portal.mail", "portal.connect", "portal.queries"},
    "portal.webhooks": {"portal.models", "portal.access"},
    "portal.own_records": {"portal.models", "portal.access", "portal.ledger"},
    "portal.backup": {"portal.access"},
    "portal.payments": {"portal.ledger", "portal.models", "portal.access"},
    "portal.uploads": {
        "portal.connect",
        "portal.forms",
        "portal.imports",
        "portal.models",
        "portal.access",
        "portal.payments",
    },
    "portal.imports": {"portal.connect", "portal.ledger", "portal.models", "portal.access"},
    "portal.connect": {"portal.autotask", "portal.ledger", "portal.models", "portal.access"},
    "portal.ledger": {"portal.models", "portal.access"},
    # Looking asks everybody and does nothing: neither reconcile nor people nor views.
    "portal.queries": {
        "portal.models",
        "portal.access",
        "portal.ledger",
        "portal.connect",
        "portal.sync",
        "portal.payments",
        "portal.uploads",
        "portal.mail",
        "portal.notices",
        "portal.forms",
        "portal.web",
        "portal.attention.buttons",
        "portal.operating",
        "portal.webhooks",
    },
    # Watches all of it, and changes none of it.
    "portal.operating": {
        "portal.models",
        "portal.access",
        "portal.ledger",
        "portal.mail",
        "portal.reconcile",
        "portal.sync",
        "portal.webhooks",
    },
    "portal.paper": {"portal.models", "portal.people", "portal.queries"},
    "portal.leaving": {"portal.models", "portal.access", "portal.connect"},
    "portal.forms": {
        "portal.models",
        "portal.access",
        "portal.autotask",
        "portal.connect",
        "portal.imports",
        "portal.own_records",
        "portal.payments",
        "portal.people",
        "portal.queries",
        "portal.uploads",
        "portal.webhooks",
    },
    "portal.web": {"portal.models", "portal.access", "portal.own_records", "portal.forms", "portal.queries"},
    "sandbox": set(),
}
# Small rooms and modules of portal/ that every flow may stand on, and what in them stands on the flows.
GROUND = {
    "portal.attention", "portal.clock", "portal.config", "portal.counts", "portal.crypto", "portal.csv_in", "portal.database", "portal.extensions", "portal.money",
    "portal.formatters", "portal.logs", "portal.plain_text", "portal.queue", "portal.serializers", "portal.storage",
}  # fmt: skip
ABOVE = {"portal.attention.buttons", "portal.attention.decisions"}
STANDS_ON_NOTHING = {"portal.autotask", "portal.models", "sandbox"}
ONLY_IN = {"requests": "portal/autotask/", "urllib3": "portal/autotask/"}


def files(folder: str) -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not SKIPPED & set(path.relative_to(ROOT).parts):
            yield path


@cache
def imports_of(path: Path) -> set[str]:
    return imports(path.read_text(), module_of(path))


def imports(source: str, module: str) -> set[str]:
    """Every module a file imports, wherever in the file, by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, node.module] if node.module else package)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def forbidden(package: str, names: set[str]) -> set[str]:
    """The imports of ours that a file of this package may not have."""
    allowed = MAY_IMPORT[package] | {package} | (set() if package in STANDS_ON_NOTHING else GROUND)
    ours = {name for name in names if name.split(".")[0] in ("portal", "jobs", "local", "tests", "sandbox")}
    parents = {"portal"}
    return {
        name
        for name in ours - parents
        if name in ABOVE - allowed or not any(within(name, package) for package in allowed)
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_the_design_allows(package):
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(package.replace(".", "/"))
        for name in forbidden(package, imports_of(path))
    }
    assert found == set()


def test_nobody_but_the_app_imports_the_pages():
    found = {
        str(path.relative_to(ROOT))
        for folder in ("portal", "jobs")
        for path in files(folder)
        if any(within(name, "portal.views") for name in imports_of(path))
    }
    inside = {name for name in found if name.startswith("portal/views/")}
    assert found - inside <= {"portal/__init__.py"}


def test_the_app_names_jobs_by_string_only():
    assert not [path for path in files("portal") if any(within(n, "jobs") for n in imports_of(path))]


def test_what_runs_in_production_imports_nothing_of_development():
    for folder in ("portal", "jobs"):
        for path in files(folder):
            assert not [
                n for n in imports_of(path) if n.split(".")[0] in ("local", "tests", "bench", "storm")
            ], path


@pytest.mark.parametrize("library", ONLY_IN)
def test_an_http_client_appears_in_the_autotask_package_only(library):
    found = {
        str(path.relative_to(ROOT))
        for folder in ("portal", "jobs")
        for path in files(folder)
        if any(within(name, library) for name in imports_of(path))
    }
    assert {path for path in found if not path.startswith(ONLY_IN[library])} == set()


def test_the_environment_is_read_in_the_configuration_only():
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("portal", "jobs")
        for path in files(folder)
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    # LOG_FORMAT alone, for processes that do not load the portal.
    # The first reads all, the third only writes for gunicorn what was checked.
    assert readers == {"portal/config/__init__.py", "jobs/lines.py", "jobs/serve.py"}


def test_htmx_headers_are_known_in_one_file_only():
    knowing = {
        str(path.relative_to(ROOT))
        for path in files("portal")
        if '"HX-' in path.read_text() or "'HX-" in path.read_text()
    }
    assert knowing == {"portal/web/htmx.py"}


def test_the_guard_sees_a_forbidden_import():
    """The guard itself, shown once to fail."""
    source = (
        "def late():\n    from portal.payments import recording\n    import portal.views.home\n"
        "    from portal.attention import decisions, items\n"
    )
    names = imports(source, "portal.sync.read_pages")
    assert forbidden("portal.sync", names) == {
        "portal.attention.decisions", "portal.payments", "portal.payments.recording", "portal.views.home"
    }  # fmt: skip
