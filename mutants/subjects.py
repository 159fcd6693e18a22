"""What is broken, and which tests are asked about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """Files of the portal by name below portal/, and the files of tests that hold them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


SUBJECTS = {
    "money": Subject(
        ("money", "ledger/derive", "ledger/owed"),
        ("tests/test_money.py", "tests/ledger/test_restate.py", "tests/payments/test_recording.py", "tests/test_formatters.py",
         "tests/uploads/test_written.py", "tests/autotask/test_records.py", "tests/queries/test_states.py",
         "tests/reconcile/test_closing.py", "tests/reconcile/test_conflicts.py", "tests/payments/test_life.py",
         "tests/ledger/test_kept_sums.py", "tests/sync/test_data_faults.py", "tests/payments/test_payable.py"),
    ),
    "delivery": Subject(
        tuple(f"reconcile/{name}" for name in (
            "attempts", "clearing", "decide", "deliver", "delivery_row", "due", "failures", "locked", "mirror", "sent_writes",
            "steps", "store", "sweep", "timing", "together", "transitions", "waiting_together", "when_to_compare")),
        ("tests/reconcile/test_timing.py", "tests/reconcile/test_delivering.py", "tests/reconcile/test_failures.py",
         "tests/reconcile/test_conflicts.py", "tests/reconcile/test_bursts.py", "tests/reconcile/test_closing.py",
         "tests/reconcile/test_before_a_call.py", "tests/reconcile/test_moved_partner.py", "tests/reconcile/test_came_back.py",
         "tests/reconcile/test_every_interleaving.py", "tests/faults/test_crash_points.py", "tests/payments/test_life.py",
         "tests/views/test_deliveries.py", "tests/jobs/test_poll.py"),
    ),
    "merge": Subject(
        tuple(f"sync/{name}" for name in (
            "upsert", "table", "marks", "seen", "missing", "removed_lines", "customers", "invoices", "lines", "checkpoint",
            "run_lease", "cursors", "flood", "bad_records", "adopted", "changes")),
        tuple(f"tests/sync/test_{name}.py" for name in (
            "changes_add_up", "seen", "missing", "data_faults", "checkpoint", "pages", "runs", "own_records", "matching",
            "inbox", "flood", "unpaid", "turns", "ahead", "filters", "run_page", "matched_by_hand", "crash_points")),
    ),
    "tenancy": Subject(
        ("access/tenancy", "access/belonging", "access/walls"),
        ("tests/rules/test_row_level_security.py", "tests/access/test_database_roles.py", "tests/access/test_enumeration.py",
         "tests/people/test_team.py", "tests/mail/test_outbox.py", "tests/views/test_api.py", "tests/views/test_invoices.py",
         "tests/operating/test_ready.py", "tests/jobs/test_poll.py", "tests/people/test_invitations.py",
         "tests/logs/test_references.py", "tests/sync/test_turns.py", "tests/operating/test_doctor.py"),
    ),
    "crypto": Subject(
        ("crypto",),
        ("tests/test_crypto.py", "tests/test_config.py"),
    ),
}  # fmt: skip
