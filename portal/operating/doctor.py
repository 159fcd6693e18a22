"""Everything that can be checked from one machine: what probes ask, and what takes longer."""

from portal.operating import books, reach, settings
from portal.operating.check import DATABASE, QUEUE, Check
from portal.operating.ready import READY

SCHEMA = (DATABASE, "migrations")
DOCTOR = (
    Check("configuration", "The settings fit together", settings.configuration),
    *READY,
    Check("versions", "Versions are those of this release", settings.versions, (DATABASE, QUEUE)),
    Check("roles", "Whoever serves does not own the tables", settings.roles, (DATABASE,)),
    Check("budget", "A deploy fits into the database's connections", settings.connection_budget, (DATABASE,)),
    Check("clock", "The clocks agree", reach.clocks, (DATABASE,), "seconds"),
    Check("queues", "The queues are heard and Redis has room", reach.queues, (QUEUE,), "bells"),
    Check("schedules", "Every sync is planned", books.schedules, SCHEMA),
    Check("duties", "Regular duties are done", books.duties, SCHEMA),
    Check("storage", "PDFs can be kept and read", reach.stored_files, SCHEMA),
    Check("mail", "The mail server takes mails", reach.mail),
    Check("autotask", "Autotask's address answers", reach.autotask),
    Check("secrets", "Every stored secret can be opened", books.secrets, SCHEMA),
    Check("audit", "The audit logs fit", books.audit, SCHEMA),
    Check("sums", "Sums agree with the ledger", books.sums, SCHEMA),
)
