"""What each kind of mail says, by the names of its parameters: templates/mails/<kind>.txt."""

from dataclasses import dataclass

from portal.models import MailKind


@dataclass(frozen=True)
class Kind:
    """`link` is a path that opens something once, kept encrypted; `optional` parameters may be left out."""

    needs: frozenset[str]
    optional: frozenset[str] = frozenset()
    link: bool = False

    @property
    def names(self) -> frozenset[str]:
        return self.needs | self.optional


def _kind(needs: str, optional: str = "", *, link: bool = False) -> Kind:
    return Kind(frozenset(needs.split()), frozenset(optional.split()), link)


KINDS: dict[str, Kind] = {
    MailKind.INVITATION: _kind("partner inviter role expires", link=True),
    MailKind.STAFF_INVITATION: _kind("inviter expires", link=True),
    MailKind.PASSWORD_RESET: _kind("expires", "device place", link=True),
    MailKind.EMAIL_CHANGE_OLD: _kind("new_address expires", "device place", link=True),
    MailKind.EMAIL_CHANGE_NEW: _kind("expires", link=True),
    MailKind.SECURITY_EVENT: _kind("what at", "more device place by", link=True),
    MailKind.FACTORS_LOST: _kind("until", "device place", link=True),
    MailKind.FACTORS_TO_GO: _kind("until", link=True),
    MailKind.NEEDS_RECONNECTING: _kind("partner reason since page_path"),
    MailKind.RECONNECTED: _kind("partner since page_path"),
    MailKind.SYNC_LATE: _kind("partner items page_path"),
    MailKind.SYNC_ON_TIME: _kind("partner since page_path"),
    MailKind.PAYMENTS_STUCK: _kind("partner invoices page_path", "reason"),
    MailKind.PAYMENTS_TOLD: _kind("partner since page_path"),
    MailKind.SUPPORT_STARTED: _kind("partner staff reason mode at until page_path", "person ticket"),
    MailKind.SUPPORT_ENDED: _kind("partner staff at ended opened changed page_path", "person"),
    MailKind.PEOPLE_EVENT: _kind("partner what at page_path", "todo"),
    MailKind.DIGEST: _kind("partner period collected outstanding exceptions page_path choice_path"),
    MailKind.WEBHOOK_OFF: _kind("partner name since page_path", "reason gone"),
    MailKind.ALARM_BEGUN: _kind("items page_path"),
    MailKind.ALARM_OVER: _kind("items page_path"),
}


def check(kind: MailKind, names: set[str], *, link: bool) -> None:
    """Raises TypeError unless a mail of this kind takes exactly these parameters."""
    known = KINDS[kind]
    missing, unknown = known.needs - names, names - known.names
    if missing or unknown or link != known.link:
        told = f"{sorted(missing)} missing, {sorted(unknown)} unknown" if missing or unknown else ""
        raise TypeError(
            f"A mail of the kind {kind}: {told or ('needs a link' if known.link else 'has no link')}."
        )
