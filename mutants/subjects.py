"""What is broken, and which tests are asked about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """Files of the portal by name below portal/, and the files of tests that hold them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


def of(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names.split())


def tests(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names.split())


RULES = "decide delivery_row failures timing when_to_compare"
STEPS = "clearing delivery_steps transitions"
KEPT = (
    "attempts claiming deliver due_partners locked mirror sent_writes store sweep together waiting_together"
)
KEEPING = "delivering failures conflicts bursts closing before_a_call moved_partner came_back"
MERGE = "upsert table marks seen missing removed_lines customers invoices lines checkpoint run_lease cursors flood adopted changes"
SYNC = "changes_add_up seen missing data_faults checkpoint runs own_records inbox flood unpaid turns filters match_taken_back"
SUBJECTS = {
    "money": Subject(
        ("money",),
        ("tests/test_money.py", "tests/test_formatters.py", "tests/uploads/test_written.py", *tests("autotask", "records")),
    ),
    "delivery": Subject(of("reconcile", RULES), tests("reconcile", "rules_of_a_row timing")),
    "steps": Subject(of("reconcile", STEPS), tests("reconcile", "delivery_steps every_interleaving conflicts failures delivering")),
    "deliveries": Subject((*of("reconcile", KEPT), "database/claims"), (*tests("reconcile", KEEPING), *tests("faults", "crash_points killers"))),
    "merge": Subject(of("sync", MERGE), tests("sync", SYNC)),
    "tenancy": Subject(
        ("access/tenancy", "access/belonging"),
        ("tests/rules/test_row_level_security.py", *tests("access", "database_roles tenancy"), *tests("jobs", "poll"),
         *tests("people", "team"), *tests("mail", "outbox"), *tests("sync", "turns"), *tests("views", "api")),
    ),
    "crypto": Subject(("crypto",), ("tests/test_crypto.py", "tests/test_config.py")),
    "ledger": Subject(
        ("ledger/derive", "ledger/owed"),
        (*tests("ledger", "restate restate_of_many kept_sums exactness"), *tests("payments", "recording life payable"),
         *tests("queries", "states"), *tests("reconcile", "closing conflicts came_back"), *tests("sync", "data_faults match_taken_back"),
         "tests/views/test_credits.py"),
    ),
}  # fmt: skip
