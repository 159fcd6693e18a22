"""A partner leaves: all that is theirs goes with them as files, and what is not needed for the books is erased."""
