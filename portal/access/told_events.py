"""What others did to a person's login, which only that person is told: their partners' logs tell it in their own words."""

ROLE_CHANGED = "login.role_changed"
REMOVED = "login.removed_from_partner"
DISABLED = "login.disabled"
ENABLED = "login.enabled"
CHANGE_REFUSED = "login.email_change_refused"
SENTENCES = {
    ROLE_CHANGED: "Your role was changed",
    REMOVED: "You were removed from a partner",
    DISABLED: "The login was disabled",
    ENABLED: "The login was enabled again",
    CHANGE_REFUSED: "A change of the e-mail address was refused, and the login was logged out everywhere",
}
# What is said besides, by the names of an event's details.
MORE = {
    ROLE_CHANGED: "At {partner}: {before} before, {after} now. Changed by {by}",
    REMOVED: "From {partner}, where you were {role}. Removed by {by}",
    DISABLED: "Disabled by {by}",
    ENABLED: "Enabled by {by}. The password is as it was",
}
