"""A leak that was found: the column, the evidence in counts and scores, and what to do."""

from modelling.refusals import BrokenRule

SETTING = "known_leak_free"
LEAVE_OUT = f"leave it out, or declare {SETTING}='why it is known when it is decided'"


def leak(
    column: str,
    evidence: str,
    critical: bool,
    remedy: str = LEAVE_OUT,
    known_leak_free: str = "",
) -> BrokenRule:
    """A finding, as a broken rule. ``known_leak_free`` is the reason for which it was declared to
    be none: then it is said with the reason, and stops nothing."""
    if known_leak_free:
        evidence, remedy = f"{evidence}; declared {SETTING}: {known_leak_free}", ""
    severity = "critical" if critical and not known_leak_free else "warning"
    return BrokenRule(column, evidence, None, severity, SETTING, remedy)
