"""bin/soak: hours of payments, pages, syncs and logins, and what grew meanwhile."""
