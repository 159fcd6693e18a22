"""The SQL of undoing a file: `import_file_record` r, of which `subject_id` is the customer or invoice."""

from typing import Any

from sqlalchemy import text

from portal.models import ImportFile, ImportKind

OF_FILE = "r.tenant_id = :tenant_id AND r.file_id = :file_id AND r.result IN ('created', 'changed')"
# Paid, credited, settled in Autotask, or a credit that went to others.
PAID = text(f"""
    SELECT i.currency, count(*) AS number,
        sum(i.paid_amount + i.credited_amount + i.settled_amount + i.applied_amount) AS amount
    FROM import_file_record r JOIN invoice i ON i.tenant_id = r.tenant_id AND i.id = r.subject_id
    WHERE {OF_FILE} AND i.paid_amount + i.credited_amount + i.settled_amount + i.applied_amount > 0
    GROUP BY i.currency ORDER BY i.currency""")
# By hand, by the API or by a later file, unless that one was undone and the record went back then.
CHANGED_SINCE = """(EXISTS (SELECT FROM import_row x JOIN import_run n ON n.tenant_id = x.tenant_id AND n.id = x.run_id
        WHERE x.tenant_id = r.tenant_id AND x.subject_id = r.subject_id AND n.kind = :kind AND x.run_id > :run_id
            AND x.result = 'changed' AND n.id IS DISTINCT FROM CAST(:undo_run_id AS bigint)
            AND NOT EXISTS (SELECT FROM import_file f WHERE f.tenant_id = x.tenant_id AND f.state = 'undone'
                AND (f.undo_run_id = x.run_id OR f.run_id = x.run_id AND NOT EXISTS (SELECT FROM import_row y
                    WHERE y.tenant_id = x.tenant_id AND y.run_id = f.undo_run_id AND y.subject_id = x.subject_id
                        AND y.result = 'refused'))))
    OR EXISTS (SELECT FROM audit_event a WHERE a.tenant_id = r.tenant_id AND a.subject_type = :subject
        AND a.subject_id = r.subject_id AND a.event = :changed
        AND a.at > (SELECT created_at FROM import_run WHERE tenant_id = r.tenant_id AND id = :run_id)))"""
# Nothing but its lines and what it was called before hangs on it.
FREE = {
    ImportKind.INVOICES: """(EXISTS (SELECT FROM invoice i WHERE i.tenant_id = r.tenant_id AND i.id = r.subject_id
            AND i.autotask_id IS NULL)
        AND NOT EXISTS (SELECT FROM allocation a WHERE a.tenant_id = r.tenant_id AND a.invoice_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM credit_application c WHERE c.tenant_id = r.tenant_id
            AND (c.invoice_id = r.subject_id OR c.credit_invoice_id = r.subject_id))
        AND NOT EXISTS (SELECT FROM settlement s WHERE s.tenant_id = r.tenant_id AND s.invoice_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM delivery d WHERE d.tenant_id = r.tenant_id AND d.invoice_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM invoice_pdf p WHERE p.tenant_id = r.tenant_id AND p.invoice_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM exception_item e WHERE e.tenant_id = r.tenant_id AND e.invoice_id = r.subject_id))""",
    ImportKind.CUSTOMERS: """(EXISTS (SELECT FROM customer c WHERE c.tenant_id = r.tenant_id AND c.id = r.subject_id
            AND c.autotask_id IS NULL)
        AND NOT EXISTS (SELECT FROM invoice i WHERE i.tenant_id = r.tenant_id AND i.customer_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM payment p WHERE p.tenant_id = r.tenant_id AND p.customer_id = r.subject_id)
        AND NOT EXISTS (SELECT FROM contact o WHERE o.tenant_id = r.tenant_id AND o.customer_id = r.subject_id))""",
}
OTHERWISE = {ImportKind.INVOICES: "void", ImportKind.CUSTOMERS: "stay"}
HERE = "EXISTS (SELECT FROM {table} t WHERE t.tenant_id = r.tenant_id AND t.id = r.subject_id)"
SUBJECTS = {ImportKind.CUSTOMERS: "customer", ImportKind.INVOICES: "invoice"}
# What hangs on a record and goes with it.
WITH_IT = {
    ImportKind.INVOICES: ("invoice_line", "invoice_past"),
    ImportKind.CUSTOMERS: ("customer_past",),
}


def what(kind: ImportKind) -> str:
    """SQL of what becomes of a record."""
    here = HERE.format(table=SUBJECTS[kind])
    return f"""CASE WHEN NOT {here} OR {CHANGED_SINCE} THEN 'stay' WHEN r.result = 'changed' THEN 'back'
        WHEN {FREE[kind]} THEN 'remove' ELSE '{OTHERWISE[kind]}' END"""


CONSEQUENCE = {
    kind: text(f"SELECT {what(kind)} AS what, count(*) FROM import_file_record r WHERE {OF_FILE} GROUP BY 1")
    for kind in ImportKind
}
NEXT = {
    kind: text(f"""
        SELECT r.id, r.place, r.external_id, r.subject_id, r.label, r.before, {what(kind)} AS what
        FROM import_file_record r WHERE {OF_FILE} AND r.place > :position ORDER BY r.place LIMIT :most""")
    for kind in ImportKind
}
LOCK = text(f"""
    SELECT i.id FROM invoice i WHERE i.tenant_id = :tenant_id AND i.id IN (
        SELECT r.subject_id FROM import_file_record r WHERE {OF_FILE} AND r.place > :position
        ORDER BY r.place LIMIT :most) ORDER BY i.id FOR UPDATE""")
# In the order of their keys: what hangs on a record goes first.
REMOVE = {
    kind: [
        text(f"DELETE FROM {table} WHERE tenant_id = :tenant_id AND {column} = ANY(:ids)")
        for table, column in [
            *((one, f"{SUBJECTS[kind]}_id") for one in WITH_IT[kind]),
            (SUBJECTS[kind], "id"),
        ]
    ]
    for kind in ImportKind
}
ANY = text("SELECT id FROM import_file_record r WHERE " + OF_FILE + " LIMIT 1")
OTHERS = text("""
    SELECT id FROM import_file WHERE tenant_id = :tenant_id AND id <> :file_id AND state = 'taking' LIMIT 1""")
COUNT = text("""
    SELECT result, count(*) FROM import_row WHERE tenant_id = :tenant_id AND run_id = :undo_run_id GROUP BY 1""")


def of(file: ImportFile) -> dict[str, Any]:
    """The values of these statements."""
    subject = SUBJECTS[ImportKind(file.kind)]
    return {
        "tenant_id": file.tenant_id, "file_id": file.id, "run_id": file.run_id, "undo_run_id": file.undo_run_id,
        "kind": file.kind, "subject": subject, "changed": f"{subject}.changed",
    }  # fmt: skip
