"""What templates can call: every formatter under its own name, badges, and the addresses of files and pages."""

from flask import Flask

from portal import formatters
from portal.web import assets, charts, navigation
from portal.web.state_badges import badge_for


def register(app: Flask) -> None:
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    for function in formatters.FILTERS:
        env.filters[function.__name__] = function
    env.filters.update(badge=badge_for, scaled=charts.scaled, share_of=charts.share_of)
    env.globals.update(zone_name=formatters.zone_name, number_format=formatters.number_format)
    assets.register(app)
    navigation.register(app)
