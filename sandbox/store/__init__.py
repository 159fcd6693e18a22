"""The records in memory: rows, tables with their indexes, and the database of all tables."""
