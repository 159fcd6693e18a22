"""A partner that is disabled: its people and API keys are let in no more, and are told why."""

from werkzeug.exceptions import Forbidden

from portal.models import Tenant


class PartnerDisabled(Forbidden):
    """A member asked for a page of a partner that is disabled."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__()
        self.tenant_name, self.reason = tenant.name, tenant.disabled_reason
