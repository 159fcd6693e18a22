"""People: invited, let in, given a role, removed; and the links in mails by which they do it."""
