"""Which column says when a row was decided, and which whom it is about."""

from dataclasses import dataclass

from modelling.drafting.columns.exclusions import hardly_shared, is_repeated_identifier
from modelling.drafting.columns.findings import ColumnFinding
from modelling.drafting.columns.profiles import Profile
from modelling.drafting.columns.protected_names import protected_attribute
from modelling.leaks.dates import LATER, later_share
from modelling.refusals import DataRefused

LAST_YEAR = 2100
BUDDHIST = (2443, 2643)  # 543 years ahead


@dataclass
class Examined:
    """A column with what was found of it."""

    found: ColumnFinding
    profile: Profile


def decision_time(examined: list[Examined], wanted: str | None) -> Profile | None:
    """The column that says when was decided; the other times can't be features, and say so."""
    times = [c for c in examined if c.found.kind == "time" and c.found.declared]
    whole = [c for c in times if not c.profile.missing]
    decision = next((c for c in whole if c.found.name == wanted), None)
    whole = [c for c in whole if not protected_attribute(c.found.name)]  # a birth decides nothing
    if wanted and decision is None:
        raise DataRefused(
            f"{wanted}: it can't be the time of a split, where it is missing in some rows"
        )
    decision = decision or next((c for c in whole if not _is_open(c.profile)), None)
    for column in times:
        if column is decision:
            continue
        share = later_share(decision.profile.values, column.profile.values) if decision else 0.0
        if decision and share >= LATER:
            column.found.left_out = (
                f"later than {decision.found.name!r} in {share:.1%} of the rows: not known when it "
                "is decided"
            )
            column.found.gives_target_away = True
        elif BUDDHIST[0] < column.profile.values.dt.year.median() < BUDDHIST[1]:
            column.found.left_out = "years of the Buddhist calendar? Write 2021 for 2564"
        else:
            column.found.left_out = (
                "a point in time is no feature: compute days from it, and declare these"
            )
    return decision.profile if decision else None


def _is_open(column: Profile) -> bool:
    """Whether some rows have no end yet, which many systems write as 9999-12-31."""
    return bool((column.values.dt.year > LAST_YEAR).any())


def subject(examined: list[Examined], wanted: str | None) -> Profile | None:
    """The column that says whom a row is about, where somebody has several rows."""
    whose = [
        column
        for column in examined
        if column.found.declared
        and (column.found.name == wanted or is_repeated_identifier(column.profile))
    ]
    chosen = None
    for column in sorted(whose, key=lambda one: one.found.name != wanted):
        found, profile = column.found, column.profile
        if profile.missing:
            found.left_out = f"an identifier that is missing in {profile.missing:,} rows"
        elif chosen is not None:
            found.left_out = hardly_shared(profile)
        else:
            chosen = profile
            found.kind, found.role, found.categories = "identifier", "context", None
            found.minimum = found.maximum = found.usual = None
            found.special_codes, found.unit, found.missing_at_most = (), None, 0.0
            found.notes = []
    return chosen
