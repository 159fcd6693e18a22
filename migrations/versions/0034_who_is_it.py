"""Whose login it is, and which partners they belong to, is one statement.

Revision ID: 0034
Revises: 0033

"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# Each read stands in the scope that may see it, as the policies demand; afterwards the scope is that of people.
WHO_IS = """
    CREATE FUNCTION who_is(hash bytea)
    RETURNS TABLE (login login_session, person app_user, partner tenant, partner_role text) LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('app.tenant_id', '', true), set_config('app.scope', 'people', true),
            set_config('app.key_hash', '', true);
        SELECT l.* INTO login FROM login_session l WHERE l.token_hash = hash;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        SELECT u.* INTO person FROM app_user u WHERE u.id = login.user_id;
        PERFORM set_config('app.scope', 'system', true);
        RETURN QUERY SELECT login, person, t, m.role FROM membership m JOIN tenant t ON t.id = m.tenant_id
            WHERE m.user_id = login.user_id ORDER BY t.name;
        IF NOT FOUND THEN
            RETURN NEXT;
        END IF;
        PERFORM set_config('app.scope', 'people', true);
    END $$"""


def upgrade():
    op.execute(WHO_IS)


def downgrade():
    op.execute("DROP FUNCTION who_is(bytea)")
