"""What a run changed in the rows here, field by field, for a person to read: rows of `sync_change`."""


def logging(query: str) -> str:
    """SQL that logs the rows of a query: subject type and id, Autotask id, label, field, old and new value as text."""
    return f"""
        INSERT INTO sync_change (tenant_id, run_id, subject_type, subject_id, autotask_id, label, field, old_value,
            new_value)
        SELECT CAST(:tenant_id AS bigint), CAST(:run_id AS bigint), changed.* FROM ({query}) AS changed"""
