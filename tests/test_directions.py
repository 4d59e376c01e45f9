"""A score only rises, or only falls, with a column that declares a direction."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from small_models import loan_table, loans, prepared, run_of, small_model

from modelling.declaration import Network, Training, amount, category, count, number
from modelling.features.preprocessing import preprocess
from modelling.judgement.baseline_predictions import baseline_inputs
from modelling.judgement.directions import sweep_directions
from modelling.judgement.packaging import package_model
from modelling.refusals import UsageError
from use_cases import find_use_case

COLUMNS = (
    count("age", maximum=120, missing_at_most=0),
    amount("income", direction="down"),
    number("balance", special_codes=(-999,), direction="up"),
    category("housing", "own", "rent", "free"),
)


def shaken(network, seed=0):
    """The network after a step of an optimizer that went anywhere, within its constraints."""
    generator = np.random.default_rng(seed)
    for weight in network.trainable_variables:
        moved = weight + generator.normal(size=weight.shape).astype(np.float32)
        weight.assign(moved if weight.constraint is None else weight.constraint(moved))
    return network


@pytest.mark.parametrize(
    "declared",
    [
        Network(hidden_units=()),
        Network(hidden_units=(16, 8)),
        Network(hidden_units=(12,), activation="tanh", batch_normalisation=True),
        Network(hidden_units=(8, 8, 8), activation="elu"),
    ],
)
@pytest.mark.parametrize("members", [1, 3])
def test_no_weights_that_the_bounds_allow_break_a_direction(declared, members):
    from modelling.training.finished_network import network_outputs
    from modelling.training.network import build_network

    use_case = loans(network=declared, training=Training(members=members))
    directions = np.array([1, 1, -1, 0, 0], dtype=np.int8)
    network = build_network(use_case, 5, np.array([0, 1, 1]), directions)
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(400, 5)).astype(np.float32)
    moved = rows + directions * generator.exponential(size=(400, 5)).astype(np.float32)
    freely = rows + (directions == 0) * generator.normal(size=(400, 5)).astype(np.float32)
    risen, freed = [], []
    for seed in range(4):
        network = shaken(network, seed)
        before, after, free = (network_outputs(network, part) for part in (rows, moved, freely))
        risen.append(after - before)
        freed.append(free - before)
    assert np.min(risen) >= -1e-6
    assert np.max(risen) > 0.01
    assert np.min(freed) < -0.01  # what has no direction may go either way
    assert np.max(freed) > 0.01


def test_a_direction_is_that_of_the_size_and_not_of_what_is_missing():
    use_case = loans(columns=COLUMNS)
    features = preprocess(prepared(use_case, loan_table(1000)).parts, use_case)
    names = features.transformer.feature_names
    of_feature = dict(zip(names, features.directions.tolist(), strict=True))
    assert {of_feature[name] for name in names if name.startswith("balance")} == {1, 0}
    assert of_feature["balance is a special code"] == of_feature["income is missing"] == 0
    assert of_feature["income (log)"] == -1
    assert {sign for name, sign in of_feature.items() if "housing" in name} == {0}


def test_a_column_with_a_direction_is_in_no_ratio_and_boosting_has_the_same_directions():
    columns = (amount("income", direction="down"), amount("balance_eur"), amount("debt"))
    generator = np.random.default_rng(0)
    table = loan_table(1000).assign(balance_eur=lambda t: t["balance"].abs())
    table["debt"] = generator.permutation(table["balance_eur"])
    is_other = generator.random(1000) < 0.15
    table["default"] = ((table["balance_eur"] > table["debt"]) ^ is_other).astype(int)
    use_case = loans(columns=columns)
    data = prepared(use_case, table)
    features = preprocess(data.parts, use_case)
    names = features.transformer.feature_names
    assert any("balance_eur / debt" in name for name in names)
    assert not any(" / " in name and "income" in name for name in names)
    inputs = baseline_inputs(data.table, data.parts, features, use_case)
    assert inputs.directions == {"income": -1}


def test_a_model_that_breaks_its_direction_is_refused_and_the_column_named(client, tmp_path):
    from tasks.directions import prove_directions

    wrong = (*COLUMNS[:2], number("balance", direction="up"))  # the deeper in the red, the likelier
    small = small_model(tmp_path / "model", columns=wrong)
    parts, use_case = small.parts, small.trained.use_case
    sweeps = sweep_directions(small.package, parts.train, parts.test, use_case)
    assert {sweep.column: sweep.violations > 0 for sweep in sweeps}["balance"]
    refused = pytest.raises(UsageError, match=r"balance: direction='up' does not hold: .* fell by")
    columns = (COLUMNS[0], wrong[2])
    with refused, run_of(use_case) as run:
        prove_directions(
            run, small.package, parts, use_case.model_copy(update={"columns": columns})
        )
    assert "direction='up'" in client.get_run(run.run_id).data.tags["failure"]
    recorded = client.download_artifacts(run.run_id, "directions.csv", str(tmp_path))
    (swept,) = pd.read_csv(recorded).to_dict("records")
    assert swept["column"] == "balance"
    assert swept["violations"] > 0


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: category("housing", direction="up"), "direction is a setting of a number"),
        (lambda: number("x", role="context", direction="up"), "direction is a setting of a feat"),
        (lambda: number("x", direction="rising"), "direction"),
        (lambda: _of_grades(), "with several classes there is no one score"),
    ],
)
def test_what_can_have_no_direction_says_so(declare, said):
    with pytest.raises(ValidationError, match=said):
        declare()


def _of_grades():
    use_case = find_use_case("iris")
    first, *others = use_case.columns
    directed = first.model_copy(update={"direction": "up"})
    type(use_case).model_validate({**dict(use_case), "columns": (directed, *others)})


@pytest.mark.services
def test_noise_does_not_tempt_a_network_with_a_direction(tmp_path):
    """Among 60 rows with a high balance all labels are turned around: a free network follows."""
    from modelling.training.fitting import TrainingJob, fit

    table = loan_table(1500)
    highest = table["balance"].nlargest(60).index
    table["default"] = (table["balance"] > 0).astype(int).where(table.index % 5 > 0, 1)
    table.loc[highest, "default"] = 0
    violations = {}
    for direction in ("up", None):
        columns = (COLUMNS[0], number("balance", direction="up"))
        training = Training(members=2, epochs=25, batch_size=64)
        use_case = loans(columns=columns, training=training, network=Network(dropout=0.0))
        parts = prepared(use_case, table).parts
        features = preprocess(parts, use_case)
        folder = tmp_path / str(direction)
        directions = features.directions if direction else None
        job = TrainingJob(
            use_case,
            features.train,
            features.validation,
            folder / "checkpoints",
            folder / "network",
            directions=directions,
        )
        fit(job)
        package = package_model(job.network_folder, features, parts, use_case, folder / "scorer")
        (sweep,) = sweep_directions(package, parts.train, parts.test, use_case)
        violations[direction] = sweep.violations
        assert sweep.mean_effect > 0.1 or not direction
    assert violations["up"] == 0
    assert violations[None] > 100
