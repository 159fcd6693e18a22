"""The whole portal in one file, written and read by the portal itself.

`pg_dump` refuses a role under forced row-level security, and with --enable-row-security it silently leaves out
every partner's rows. So each partner is read in its own scope, all in one snapshot: docs/backup.md.
"""
