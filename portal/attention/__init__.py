"""What a person must look at, and what they can do about it."""

from portal.attention.items import close_all, close_items, open_item, open_keys

__all__ = ["close_all", "close_items", "open_item", "open_keys"]
