from tests.both_sides import Both, both, connect_to, partner, sandbox

__all__ = ["Both", "both", "connect_to", "partner", "sandbox"]
