"""The one statement behind the month: every part of a payment, credit and settlement with its state at :until.

Covered means that payments and credits standing at :until reach the amount due. A covered invoice's part is
posted once Autotask was told, and confirmed it, after the part was recorded; until then it waits. A part of an
invoice that is not covered has nothing to send (rule 5.5), and is posted as soon as it is recorded. Amounts due,
numbers and names are those of :until as well. Money that Autotask hears of only once it has arrived has nothing to
send before that; what was refunded after :until still counts.
"""

# Of an allocation `a` of a payment `p`: what it was at :until.
AMOUNT_THEN = """(a.amount + CASE WHEN p.refunded_amount > 0 THEN coalesce((
        SELECT sum(x.amount) FROM payment_event e
        JOIN payment_event_part x ON x.tenant_id = e.tenant_id AND x.event_id = e.id AND x.invoice_id = a.invoice_id
        WHERE e.tenant_id = :tenant_id AND e.payment_id = p.id AND NOT e.ends AND e.recorded_at >= at.until
    ), 0) ELSE 0 END)"""
# Of a payment `p`: Autotask was to hear of it later.
HELD_THEN = "(p.held AND (p.settled_at IS NULL OR p.settled_at >= at.until))"

ENTRIES = """
WITH at AS (SELECT CAST(:until AS timestamptz) AS until),
paying AS (
    SELECT a.id AS allocation_id, AMOUNT_THEN AS amount, a.invoice_id, p.id, p.paid_on, p.currency, p.method,
        p.reference, p.recorded_at, p.deleted_at, HELD_THEN AS is_held,
        CASE WHEN p.held THEN p.settled_at ELSE p.recorded_at END AS to_be_told_at
    FROM payment p
    JOIN allocation a ON a.tenant_id = p.tenant_id AND a.payment_id = p.id, at
    WHERE p.tenant_id = :tenant_id AND p.paid_on BETWEEN :first AND :last AND p.recorded_at < at.until
),
touched AS (SELECT DISTINCT invoice_id FROM paying),
paid AS MATERIALIZED (
    SELECT a.invoice_id, sum(AMOUNT_THEN) AS amount
    FROM touched JOIN allocation a ON a.tenant_id = :tenant_id AND a.invoice_id = touched.invoice_id
    JOIN payment p ON p.tenant_id = :tenant_id AND p.id = a.payment_id CROSS JOIN at
    WHERE p.recorded_at < at.until AND (p.deleted_at IS NULL OR p.deleted_at >= at.until) AND NOT HELD_THEN
    GROUP BY a.invoice_id
),
credited AS MATERIALIZED (
    SELECT c.invoice_id, sum(c.amount) AS amount
    FROM touched JOIN credit_application c ON c.tenant_id = :tenant_id AND c.invoice_id = touched.invoice_id
    CROSS JOIN at
    WHERE c.recorded_at < at.until AND (c.removed_at IS NULL OR c.removed_at >= at.until)
    GROUP BY c.invoice_id
),
told AS MATERIALIZED (
    SELECT DISTINCT ON (w.invoice_id) w.invoice_id, d.wish_paid_on AS paid_on, d.finished_at AS at
    FROM touched JOIN delivery w ON w.tenant_id = :tenant_id AND w.invoice_id = touched.invoice_id
    JOIN delivery_attempt d ON d.tenant_id = :tenant_id AND d.delivery_id = w.id CROSS JOIN at
    WHERE d.outcome IN ('confirmed', 'nothing_to_do') AND d.finished_at < at.until
    ORDER BY w.invoice_id, d.finished_at DESC, d.id DESC
),
troubled AS MATERIALIZED (
    SELECT e.invoice_id, CASE WHEN bool_or(e.cause IN ('delivery_parked', 'delivery_refused', 'not_cleared'))
        THEN 'parked' ELSE 'differs' END AS trouble
    FROM touched JOIN exception_item e ON e.tenant_id = :tenant_id AND e.invoice_id = touched.invoice_id
    CROSS JOIN at
    WHERE e.cause IN ('delivery_parked', 'delivery_refused', 'not_cleared', 'unpaid_in_autotask',
            'paid_mark_changed', 'paid_twice', 'overpaid', 'voided_with_payments', 'currency_changed')
        AND e.first_seen_at < at.until AND (e.resolved_at IS NULL OR e.resolved_at >= at.until)
    GROUP BY e.invoice_id
),
standing AS MATERIALIZED (
    SELECT invoice_id, coalesce(paid.amount, 0) + coalesce(credited.amount, 0) AS covered,
        told.paid_on AS told_paid_on, told.at AS told_at, troubled.trouble
    FROM touched LEFT JOIN paid USING (invoice_id) LEFT JOIN credited USING (invoice_id)
    LEFT JOIN told USING (invoice_id) LEFT JOIN troubled USING (invoice_id)
),
bill AS NOT MATERIALIZED (
    SELECT i.tenant_id, i.id, i.autotask_id, i.currency, i.customer_id,
        coalesce(was.number, i.number) AS number, coalesce(was.amount_due, i.amount_due) AS amount_due
    FROM invoice i CROSS JOIN at
    LEFT JOIN LATERAL (SELECT number, amount_due FROM invoice_past p
        WHERE p.tenant_id = i.tenant_id AND p.invoice_id = i.id AND p.until >= at.until
        ORDER BY p.until, p.id LIMIT 1) was ON true
),
client AS NOT MATERIALIZED (
    SELECT c.tenant_id, c.id, c.autotask_id, coalesce(was.name, c.name) AS name
    FROM customer c CROSS JOIN at
    LEFT JOIN LATERAL (SELECT name FROM customer_past p
        WHERE p.tenant_id = c.tenant_id AND p.customer_id = c.id AND p.until >= at.until
        ORDER BY p.until, p.id LIMIT 1) was ON true
)
SELECT 'payment' AS kind, p.allocation_id AS entry_id,
    CASE WHEN p.deleted_at < at.until THEN 'reversed'
        WHEN s.trouble IS NOT NULL THEN s.trouble
        WHEN i.autotask_id IS NULL OR p.is_held OR s.covered < i.amount_due THEN 'posted'
        WHEN s.told_paid_on IS NOT NULL AND s.told_at >= p.to_be_told_at THEN 'posted'
        ELSE 'waiting' END AS state,
    p.paid_on AS on_day, p.currency, p.amount, i.customer_id, c.name AS customer,
    c.autotask_id AS customer_autotask_id, i.id AS invoice_id, i.number AS invoice,
    i.autotask_id AS invoice_autotask_id, p.id AS payment_id, p.method, p.reference, p.recorded_at,
    CASE WHEN s.told_paid_on IS NOT NULL AND s.told_at >= p.to_be_told_at AND NOT p.is_held
        AND (p.deleted_at IS NULL OR p.deleted_at >= at.until) THEN s.told_at END AS confirmed_at,
    CASE WHEN p.deleted_at < at.until THEN p.deleted_at END AS reversed_at
FROM paying p CROSS JOIN at
JOIN bill i ON i.tenant_id = :tenant_id AND i.id = p.invoice_id
JOIN client c ON c.tenant_id = :tenant_id AND c.id = i.customer_id
JOIN standing s ON s.invoice_id = i.id
WHERE p.amount > 0
UNION ALL
SELECT 'refund', x.id, 'reversed', p.paid_on, p.currency, x.amount, i.customer_id, c.name, c.autotask_id,
    i.id, i.number, i.autotask_id, p.id, p.method, p.reference, p.recorded_at, NULL, e.recorded_at
FROM paying p CROSS JOIN at
JOIN payment_event e ON e.tenant_id = :tenant_id AND e.payment_id = p.id AND NOT e.ends AND e.recorded_at < at.until
JOIN payment_event_part x ON x.tenant_id = :tenant_id AND x.event_id = e.id AND x.invoice_id = p.invoice_id
JOIN bill i ON i.tenant_id = :tenant_id AND i.id = p.invoice_id
JOIN client c ON c.tenant_id = :tenant_id AND c.id = i.customer_id
UNION ALL
SELECT 'credit', a.id, 'credited', a.applied_on, i.currency, a.amount, i.customer_id, c.name, c.autotask_id,
    i.id, i.number, i.autotask_id, NULL, 'credit', o.number, a.recorded_at, NULL, NULL
FROM credit_application a CROSS JOIN at
JOIN bill i ON i.tenant_id = a.tenant_id AND i.id = a.invoice_id
JOIN bill o ON o.tenant_id = a.tenant_id AND o.id = a.credit_invoice_id
JOIN client c ON c.tenant_id = :tenant_id AND c.id = i.customer_id
WHERE a.tenant_id = :tenant_id AND a.applied_on BETWEEN :first AND :last AND a.recorded_at < at.until
    AND (a.removed_at IS NULL OR a.removed_at >= at.until)
UNION ALL
SELECT 'settlement', t.id, 'settled', t.settled_on, i.currency, t.amount, i.customer_id, c.name, c.autotask_id,
    i.id, i.number, i.autotask_id, NULL, 'settled', '', t.seen_at, NULL, NULL
FROM settlement t CROSS JOIN at
JOIN bill i ON i.tenant_id = t.tenant_id AND i.id = t.invoice_id
JOIN client c ON c.tenant_id = :tenant_id AND c.id = i.customer_id
WHERE t.tenant_id = :tenant_id AND t.settled_on BETWEEN :first AND :last AND t.seen_at < at.until
    AND (t.removed_at IS NULL OR t.removed_at >= at.until)""".replace("AMOUNT_THEN", AMOUNT_THEN).replace(
    "HELD_THEN", HELD_THEN
)
