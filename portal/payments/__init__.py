"""3 RECONCILE: people record money: payments, their allocations, credits, uploads, repeated requests."""
