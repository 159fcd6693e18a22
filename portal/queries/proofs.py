"""How somebody can prove now that it is them."""

from dataclasses import dataclass

from portal.access import factors
from portal.models import FactorKind, User


@dataclass(frozen=True)
class Ways:
    """Of one person; the password or a code is always one."""

    passkey: bool
    app: bool

    @property
    def code(self) -> str:
        """What may be typed as a code."""
        recovery = "one of your recovery codes."
        return f"Six digits from your authenticator app, or {recovery}" if self.app else recovery.capitalize()


def ways(user: User) -> Ways:
    kinds = {factor.kind for factor in factors.of(user)}
    return Ways(FactorKind.PASSKEY in kinds, FactorKind.TOTP in kinds)
