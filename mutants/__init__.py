"""Breaks the code on purpose, one place at a time, and asks the tests: `bin/mutants`.

Of its own, because mutmut leaves out decorated functions and neither it nor cosmic-ray changes SQL: the scopes of partners
are context managers here, and most of what a sync merges and a lease decides is SQL.
"""
