"""Customers and invoices from files: staged as they come, looked at, taken in once, and undone (rule 3.10)."""
