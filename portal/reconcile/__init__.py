"""3 RECONCILE: Autotask is told: wish, claim, decide, send, read back, compare."""
