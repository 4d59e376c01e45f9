"""Wine: three cultivars, thirteen chemical measurements (ships with scikit-learn)."""

from modelling.declaration import Network, Preprocessing, Training, UseCase, number

MEASURED = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols",
    "flavanoids", "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue",
    "od280/od315_of_diluted_wines", "proline",
)  # fmt: skip


def load_wine():
    from sklearn.datasets import load_wine as load

    return load(as_frame=True).frame


USE_CASE = UseCase(
    name="wine",
    title="Cultivar of wine",
    problem="multiclass",
    source=load_wine,
    target="target",
    classes=(0, 1, 2),
    columns=tuple(number(name) for name in MEASURED),
    preprocessing=Preprocessing(scaling="min_max", transform="none"),
    network=Network(hidden_units=(16,), activation="tanh", dropout=0.0),
    training=Training(epochs=60, batch_size=16, learning_rate=1e-2, optimizer="adam"),
)
