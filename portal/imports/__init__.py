"""What a partner's own billing system brings in: customers and invoices, by API.

Each is named by that system's `external_id` and given whole, so that repeating changes nothing (docs/api.md).
"""
