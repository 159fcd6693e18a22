"""What pages read: one file per noun. Views contain no query, and nothing here writes."""
