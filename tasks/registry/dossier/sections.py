"""The sections of a dossier: those of a model card, with the point of Annex IV that each serves.

References
----------
Mitchell et al. (2019), "Model cards for model reporting".
Regulation (EU) 2024/1689 (AI Act), Annex IV: technical documentation of high-risk systems.
"""

from collections.abc import Callable
from typing import NamedTuple

from tasks.registry.dossier import declaration, findings, provenance
from tasks.registry.dossier.facts import Facts


class Section(NamedTuple):
    """A section: its heading, the points of Annex IV that it serves, and its Markdown."""

    title: str
    points: str
    write: Callable[[Facts], str]


SECTIONS = (
    Section("Model details", "1", declaration.model_details),
    Section("Intended use", "1(a), 2(b)", declaration.intended_use),
    Section("Metrics and decision", "2(b), 4", declaration.decision),
    Section("Training and evaluation data", "2(d)", findings.data),
    Section("Columns", "2(d), 3", declaration.columns),
    Section("Preprocessing and network", "2(b), 2(c)", declaration.network),
    Section("Training and learning curve", "2(b), 2(g)", findings.training),
    Section("Quantitative analyses", "2(g), 3", findings.results),
    Section("Factors: groups", "2(g), 3", findings.groups),
    Section("Factors: slices", "2(g), 3", findings.slices),
    Section("Why the model says so", "2(e), 3", findings.reasons),
    Section("Directions", "2(b), 2(g)", findings.directions),
    Section("Leaks", "2(g)", findings.leaks),
    Section("Ethical considerations and human oversight", "2(e), 5", declaration.ethics),
    Section("Caveats and recommendations", "3, 9", declaration.caveats),
    Section("Gate and requirements", "2(g), 4", findings.requirements),
    Section("Changes since the version before", "6", provenance.changes),
    Section("Environment and reproduction", "2(a), 2(h)", provenance.reproduction),
)
