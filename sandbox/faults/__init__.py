"""Faults on request: which call is hit, and by what. The kinds stand in `kinds` and the modules it names."""

from __future__ import annotations

from sandbox.faults.rules import Fault, Faults

__all__ = ["Fault", "Faults"]
