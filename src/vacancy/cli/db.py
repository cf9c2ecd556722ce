"""`vacancy db`: the schema and the numbers in it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from vacancy.cli.command import make_data_dir, run_async, settings_given, shared_options
from vacancy.cli.generate import generate
from vacancy.cli.output import answer, listing, note
from vacancy.errors import Invalid

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.db.migrate import Step
    from vacancy.hotel.verify import Difference, VerifyReport

_DROP_TABLE = re.compile(r"DROP TABLE (\S+)")


@click.group()
def db() -> None:
    """The database: migrations, checks, and data to try it on."""


db.add_command(generate)


@db.command()
@click.option(
    "--to", "target", metavar="REV", default="head", show_default=True, help="A revision, or base."
)
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
@click.option("--yes", is_flag=True, help="Go down without being asked.")
@shared_options
def migrate(target: str, dry_run: bool, yes: bool) -> None:
    """Brings the schema to a revision: up to the newest, or down to an older one.

    Going down deletes the tables and columns that came later, with what is in them; it asks first,
    and where nobody can be asked it needs --yes.

    \b
    vacancy db migrate --dry-run
    vacancy db migrate
    """
    settings = settings_given()
    if dry_run:
        steps = run_async(_plan(settings, target))
        answer({"dry_run": True, "steps": steps}, _as_sql(steps))
        return
    if target != "head" and not yes:
        _confirm(run_async(_plan(settings, target)), target)
    if not settings.database_url:
        make_data_dir(settings)
    steps = run_async(_migrate(settings, target))
    shown = [
        {"revision": step.revision, "direction": step.direction, "title": step.title}
        for step in steps
    ]
    answer(
        {"dry_run": False, "steps": shown},
        f"{len(steps)} {'step was' if len(steps) == 1 else 'steps were'} run.",
    )


async def _plan(settings: Settings, target: str) -> list[Step]:
    from vacancy.hotel.migrating import plan_migration

    return await plan_migration(settings.direct_url, target)


def _confirm(steps: list[Step], target: str) -> None:
    """Raises `Invalid` NOT_CONFIRMED when steps go down and nobody says yes to that."""
    down = [step for step in steps if step.direction == "down"]
    if not down:
        return
    dropped = [
        table for step in down for sql in step.statements for table in _DROP_TABLE.findall(sql)
    ]
    lost = f"{len(dropped)} {'table' if len(dropped) == 1 else 'tables'} with all rows"
    what = f"Going down to {target} undoes {', '.join(step.revision for step in down)}"
    what += f" and deletes {lost}" if dropped else " and deletes what they had added"
    if sys.stdin.isatty() and click.confirm(f"{what}. Go on?", err=True):
        return
    raise Invalid(
        "NOT_CONFIRMED",
        f"{what}; nobody has confirmed it, and nothing was changed.",
        hint="Make a backup, see what --dry-run prints, then run it again with --yes.",
    )


async def _migrate(settings: Settings, target: str) -> list[Step]:
    from vacancy.hotel.migrating import migrate_database

    def tell(step: Step) -> None:
        note(f"{step.direction} {step.revision}: {step.title}")

    return await migrate_database(settings.direct_url, target, progress=tell)


def _as_sql(steps: list[Step]) -> str:
    if not steps:
        return "-- Nothing to do."
    lines = []
    for step in steps:
        lines.append(f"-- {step.direction} {step.revision}: {step.title}")
        statements = step.statements
        if step.transactional:
            statements = ("BEGIN", *statements, "COMMIT")
        lines.extend(f"{statement};" for statement in statements)
    return "\n".join(lines)


@db.command()
@shared_options
def status() -> None:
    """Says at which revision the database stands, and whether this version can serve it.

    The exit code is 8 when it cannot.
    """
    run_async(_status(settings_given()))


async def _status(settings: Settings) -> None:
    from vacancy.db.connect import engine_of, without_passwords
    from vacancy.db.read_revision import read_revision
    from vacancy.db.revision import require_accepted
    from vacancy.hotel.revisions import REVISIONS

    current = await read_revision(settings.direct_url)
    standing = REVISIONS.standing(current)
    known = REVISIONS.known
    done = known.index(current) + 1 if current in known else 0
    document: dict[str, Any] = {
        "database": without_passwords(settings.direct_url),
        "engine": engine_of(settings.direct_url),
        "current": current,
        "newest": REVISIONS.newest,
        "oldest_accepted": REVISIONS.oldest_accepted,
        "pending": () if standing == "ahead" else known[done:],
        "standing": standing,
        "can_serve": standing in ("current", "accepted"),
    }
    answer(document, listing(document))
    require_accepted(current, REVISIONS)


@db.command("verify-inventory")
@click.option("--property", "property_code", metavar="CODE", help="Only this property.")
@shared_options
def verify(property_code: str | None) -> None:
    """Recomputes every night from the bookings and from the ledger; says each difference.

    The exit code is 1 when there is any.

    \b
    vacancy db verify-inventory --property alpine
    """
    from vacancy.hotel.verify import require_clean

    report = run_async(_verify(settings_given(), property_code))
    checked = (
        f"{report.nights} nights, {report.bookings} bookings and {report.ledger_entries}"
        " ledger entries were checked."
    )
    sentences = [_sentence(difference) for difference in report.differences]
    more = report.differences_found - len(sentences)
    if more:
        sentences.append(f"And {more} more.")
    found = "All of them agree." if report.ok else f"{report.differences_found} differ."
    answer(report, "\n".join([*sentences, f"{checked} {found}"]))
    require_clean(report)


async def _verify(settings: Settings, property_code: str | None) -> VerifyReport:
    from vacancy.cli.opening import open_ready
    from vacancy.hotel.verify import verify_inventory

    async with open_ready(settings) as database:
        return await verify_inventory(database, property_code=property_code)


def _sentence(difference: Difference) -> str:
    place = [difference.property]
    if difference.room_type:
        place.append(difference.room_type)
    if difference.night:
        place.append(f"on {difference.night}")
    if difference.subject:
        place.append(f"({difference.subject})")
    what = difference.kind.replace("_", " ")
    return (
        f"The {what} of {' '.join(place)}: {difference.field} is {difference.stored},"
        f" by the {difference.source} it is {difference.expected}."
    )
