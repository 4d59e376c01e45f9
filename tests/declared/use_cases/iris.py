"""Iris: three species, four measurements (Fisher 1936; ships with scikit-learn)."""

from modelling.declaration import Gate, Stratified, Training, UseCase, amount


def load_iris():
    from sklearn.datasets import load_iris as load

    bunch = load(as_frame=True)
    names = dict(enumerate(bunch.target_names.tolist()))
    return bunch.data.assign(species=bunch.target.map(names))


USE_CASE = UseCase(
    name="iris",
    title="Species of iris",
    problem="multiclass",
    source=load_iris,
    target="species",
    classes=("setosa", "versicolor", "virginica"),
    columns=tuple(
        amount(f"{part} {side} (cm)", maximum=20, unit="cm")
        for part in ("sepal", "petal")
        for side in ("length", "width")
    ),
    split=Stratified(validation=0.2, test=0.2, seed=1),
    training=Training(epochs=60, batch_size=16, learning_rate=5e-3),
    gate=Gate(metric="accuracy", at_least=0.85),
)
