import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a space in its name, open to others: root's PostgreSQL moves out of closed ones."""
    base = Path(tempfile.mkdtemp(prefix="portal test "))
    base.chmod(0o755)
    yield base / "a demo"
    shutil.rmtree(base)
