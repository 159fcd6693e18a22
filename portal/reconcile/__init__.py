"""3 RECONCILE: payments, and making Autotask show what they mean."""
