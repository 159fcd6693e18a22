"""1 CONNECT: a partner's integration, tested before it is saved, and the only way to call its Autotask."""

from portal.connect.calls import calling
from portal.connect.errors import ConnectRefused, NotConnected, Paused
from portal.connect.opening import client_for

__all__ = ["ConnectRefused", "NotConnected", "Paused", "calling", "client_for"]
