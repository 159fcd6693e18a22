"""Who may: closed by default."""
