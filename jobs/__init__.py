"""What RQ imports: ids in, one call out. What is due stands in PostgreSQL."""
