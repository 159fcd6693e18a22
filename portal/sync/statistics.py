"""Keeps PostgreSQL's statistics up with a run that fills tables, so that its plans suit their size."""

from dataclasses import dataclass, field

from sqlalchemy import text

from portal.extensions import db
from portal.sync import counts, record_kinds

FIRST = 500

KEEP = text("SELECT keep_statistics(:table, :created)")


@dataclass
class Growth:
    """How many new rows of each kind were last looked at. Looked at again when they have doubled."""

    seen: dict[str, int] = field(default_factory=dict)

    def keep_up(self, items: counts.Items) -> None:
        """Analyzes the tables that this run has at least doubled. Commits; asks nothing while little is new."""
        for kind in record_kinds.ALL:
            created = items[kind.counted]["created"]
            if created >= max(2 * self.seen.get(kind.subject, 0), FIRST):
                self.seen[kind.subject] = created
                db.session.execute(KEEP, {"table": kind.table, "created": created})
                db.session.commit()
