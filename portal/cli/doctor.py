import json

import click
from flask.cli import with_appcontext

from portal.models import HealthState
from portal.operating.check import Result, looking
from portal.operating.doctor import DOCTOR

MARKS = {
    HealthState.OK: "ok",
    HealthState.LOOK: "look",
    HealthState.WRONG: "WRONG",
    HealthState.UNKNOWN: "unknown",
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_appcontext
def commands(as_json: bool) -> None:
    """Looks at all that the portal needs, says what is wrong and how to mend it; exits with 1 if anything is."""
    bad = 0
    for result in looking(DOCTOR):
        bad += result.is_wrong
        click.echo(json.dumps(result.told(), ensure_ascii=False) if as_json else _line(result))
    if bad:
        raise click.exceptions.Exit(1)


def _line(result: Result) -> str:
    found = result.finding
    said = f"{MARKS[found.state]:<8}{result.check.title}: {found.sentence}"
    return f"{said}\n{'':8}→ {found.mend}" if found.mend else said
