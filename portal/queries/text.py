"""Search words, made safe for LIKE."""

LONGEST = 100


def cleaned(words: str | None) -> str:
    """What a person typed into a search box: trimmed, without control characters, at most 100 characters."""
    return "".join(sign for sign in (words or "") if sign.isprintable()).strip()[:LONGEST]


def containing(words: str) -> str:
    """An ILIKE pattern for text that contains these words, wildcards taken literally."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
