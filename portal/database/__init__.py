"""Connections to PostgreSQL: how they notice its absence, how many there may be, and statements beside the session."""
