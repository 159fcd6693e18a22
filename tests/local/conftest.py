import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder with a space in its name, open to others: root's PostgreSQL moves out of closed ones."""
    base = Path(tempfile.mkdtemp(prefix="portal test "))
    base.chmod(0o755)
    yield base / "a demo"
    shutil.rmtree(base)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture(scope="module")
def kept_folder() -> Iterator[Path]:
    """One for all tests of a file: making a cluster takes far longer than starting it."""
    with open_folder() as path:
        yield path
