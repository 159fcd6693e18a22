"""What happened between a partner and one customer, and what of it is open: one statement each.

The books as they stand now, by the day of each entry: deleted payments and voided invoices are not there. A payment is
told as it was recorded; what of it failed, was refunded or charged back is an entry of its own, on its day. What goes
from a credit to an invoice is no entry: it changes nothing of what the customer owes altogether. What was paid for an
invoice that was voided since is the customer's money still. An archived invoice is not asked for any more: what was open
of it ends on that day. So the entries of a currency add up to the sum of what is open (`OPEN`).
"""

# What an invoice adds to what its customer owes: payments for a voided one are left over.
BALANCE = "(i.outstanding - CASE WHEN i.is_voided THEN i.amount_due ELSE 0 END)"
# Of a payment `p`: not deleted as an error.
COUNTED = "(p.deleted_at IS NULL OR p.ended_as IS NOT NULL)"
# What was taken off an allocation `a`. What ends a payment takes nothing off: it no longer counts as a whole.
TAKEN_OFF = """coalesce((SELECT sum(x.amount) FROM payment_event e JOIN payment_event_part x
    ON x.tenant_id = :tenant_id AND x.event_id = e.id AND x.invoice_id = a.invoice_id
    WHERE e.tenant_id = :tenant_id AND e.payment_id = p.id AND NOT e.ends), 0)"""

ENTRIES = """
WITH mine AS (
    SELECT i.id, i.number, i.issued_on, i.due_on, i.currency, i.amount_due, i.is_voided, i.archived_at,
        I_BALANCE AS balance
    FROM invoice i WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id
)
SELECT i.currency, i.issued_on AS on_day, 1 AS place, i.id AS entry_id,
    CASE WHEN i.amount_due < 0 THEN 'credit' ELSE 'invoice' END AS kind, i.amount_due AS amount,
    i.number AS number, 1 AS invoices,
    CASE WHEN i.amount_due > 0 THEN i.due_on END AS due_on, '' AS method, '' AS reference, NULL AS payment_id
FROM mine i WHERE NOT i.is_voided
UNION ALL
SELECT i.currency, p.paid_on, 2, p.id, 'payment', -sum(a.amount + TAKEN_OFF), min(i.number), count(*), NULL, p.method,
    p.reference, p.id
FROM mine i JOIN allocation a ON a.tenant_id = :tenant_id AND a.invoice_id = i.id
JOIN payment p ON p.tenant_id = :tenant_id AND p.id = a.payment_id AND COUNTED
GROUP BY i.currency, p.id, p.paid_on, p.method, p.reference
UNION ALL
SELECT i.currency, e.happened_on, 3, e.id, e.kind, sum(x.amount), min(i.number), count(*), NULL, p.method, p.reference,
    p.id
FROM mine i JOIN payment_event_part x ON x.tenant_id = :tenant_id AND x.invoice_id = i.id
JOIN payment_event e ON e.tenant_id = :tenant_id AND e.id = x.event_id
JOIN payment p ON p.tenant_id = :tenant_id AND p.id = e.payment_id AND COUNTED
GROUP BY i.currency, e.id, e.happened_on, e.kind, p.id, p.method, p.reference
UNION ALL
SELECT i.currency, s.settled_on, 4, s.id, 'settled', -s.amount, i.number, 1, NULL, '', '', NULL
FROM mine i JOIN settlement s ON s.tenant_id = :tenant_id AND s.invoice_id = i.id AND s.removed_at IS NULL
UNION ALL
SELECT i.currency, CAST(i.archived_at AT TIME ZONE :zone AS date), 5, i.id, 'archived', -i.balance, i.number, 1, NULL,
    '', '', NULL
FROM mine i WHERE i.archived_at IS NOT NULL AND i.balance <> 0""".replace("I_BALANCE", BALANCE)
ENTRIES = ENTRIES.replace("TAKEN_OFF", TAKEN_OFF).replace("COUNTED", COUNTED)

OPEN = """
SELECT i.currency, i.issued_on AS on_day, i.id AS entry_id, i.number, i.due_on,
    CASE WHEN i.is_voided THEN 0 ELSE i.amount_due END AS amount, I_BALANCE AS open_amount
FROM invoice i
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.archived_at IS NULL AND I_BALANCE <> 0""".replace(
    "I_BALANCE", BALANCE
)
