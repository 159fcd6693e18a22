"""What happened goes out to a partner's own systems: events, and the addresses that hear of them (docs/webhooks.md)."""
