"""Diabetes: progression one year after baseline (Efron et al. 2004; ships with scikit-learn)."""

from modelling.declaration import Network, Training, UseCase, number


def load_diabetes():
    from sklearn.datasets import load_diabetes as load

    return load(as_frame=True).frame


USE_CASE = UseCase(
    name="diabetes",
    title="Progression of diabetes",
    problem="regression",
    source=load_diabetes,
    target="target",
    columns=tuple(
        number(name) for name in ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    ),
    network=Network(hidden_units=()),
    training=Training(epochs=60, batch_size=32, learning_rate=2e-2),
)
