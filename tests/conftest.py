"""Fixtures for every test: see the modules named here."""

pytest_plugins = [
    "tests.fixtures.order",
    "tests.fixtures.network",
    "tests.fixtures.properties",
    "tests.fixtures.servers",
    "tests.fixtures.database",
    "tests.fixtures.web",
    "tests.fixtures.people",
    "tests.fixtures.queries",
    "tests.fixtures.outages",
    "tests.fixtures.warm_python",
]
