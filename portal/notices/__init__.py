"""What a partner's people are told without asking: one notice a cause, and how it ended once (rule 8)."""
