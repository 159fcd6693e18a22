"""What bin/* needs on a machine without servers: PostgreSQL, Valkey, a guard, a supervisor, demo data."""
