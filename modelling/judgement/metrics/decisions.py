"""How often the decided classes are right."""

from modelling.judgement.metrics.metric import Metric, Scored


def accuracy(scored: Scored) -> float:
    """The share of the rows whose decided class is the right one."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(scored.target, scored.decided))


def f1_macro(scored: Scored) -> float:
    """The mean over the classes of the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    labels = scored.class_codes
    return float(f1_score(scored.target, scored.decided, average="macro", labels=labels))


def precision(scored: Scored) -> float:
    """The share of the refused that are positive; 0 where nobody is refused."""
    from sklearn.metrics import precision_score

    return float(precision_score(scored.target, scored.decided, zero_division=0))


def recall(scored: Scored) -> float:
    """The share of the positives that are refused; 0 without positives."""
    from sklearn.metrics import recall_score

    return float(recall_score(scored.target, scored.decided))


METRICS = (
    Metric(
        name="accuracy",
        problems=("binary", "multiclass"),
        higher_is_better=True,
        title="accuracy",
        plain=accuracy,
    ),
    Metric(
        name="f1_macro",
        problems=("multiclass",),
        higher_is_better=True,
        title="macro F1 score",
        plain=f1_macro,
    ),
    Metric(
        name="precision",
        problems=("binary",),
        higher_is_better=True,
        title="precision",
        plain=precision,
    ),
    Metric(
        name="recall",
        problems=("binary",),
        higher_is_better=True,
        title="recall",
        plain=recall,
    ),
)
