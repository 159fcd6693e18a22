"""A sandbox of the Autotask PSA REST API: stateful, faithful to what is public, on loopback.

It stands alone: `python -m sandbox --help`, or `Sandbox` inside a test. What it does not model it refuses.
"""

from __future__ import annotations

from sandbox.embed import Sandbox
from sandbox.requestlog import Change, Request

__all__ = ["Change", "Request", "Sandbox"]
