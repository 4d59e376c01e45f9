"""Reasons state facts: they add up, are Shapley values, and name only what the model can see."""

import json
import math
import shutil
from itertools import combinations

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import helper, numpy_helper
from small_models import loan_table, loans, prepared, small_model

from modelling.declaration import Groups, amount, category, count, number
from modelling.explanation.coalition_network import write_coalition_network
from modelling.explanation.reference import reasons_state
from modelling.features.preprocessing import preprocess
from modelling.judgement.packaging import package_model
from modelling.scorer.coalitions import active_columns, coalitions_of
from modelling.scorer.model import Model
from modelling.scorer.scoring import ROWS_PER_TILE

COLUMNS = (
    count("age", maximum=120, reason={"low": "Too young", "missing": "Age not given"}),
    amount("income"),
    amount("wealth"),
    number("always"),
    category("housing"),
    category("region"),
)
OUTPUT = {"binary": ("Sigmoid", 1), "multiclass": ("Softmax", 3), "regression": ("Identity", 1)}
DECLARED = {
    "binary": {"target": "default", "columns": COLUMNS, "gate": None},
    "multiclass": {
        "problem": "multiclass",
        "target": "housing",
        "classes": ("own", "rent", "free"),
        "columns": tuple(column for column in COLUMNS if column.name != "housing"),
        "gate": None,
    },
    "regression": {
        "problem": "regression",
        "target": "balance",
        "columns": COLUMNS,
        "gate": None,
    },
}


def borrowers(rows=1500):
    """``loan_table`` with a second amount, so that there is a ratio, and a constant."""
    table = loan_table(rows)
    wealth = np.random.default_rng(3).gamma(2, 5000, rows)
    return table.assign(wealth=wealth, always=3.0)


def write_deep_network(folder, width, problem):
    """Random weights: two layers, so that columns interact."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(5)
    last, outputs = OUTPUT[problem]
    sizes = [(width, 16), (16, outputs)]
    weights = [(generator.normal(size=size) / 3).astype(np.float32) for size in sizes]
    bias = generator.normal(size=16).astype(np.float32)
    named = {"first": weights[0], "bias": bias, "second": weights[1]}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "first"], ["a"]),
            helper.make_node("Add", ["a", "bias"], ["b"]),
            helper.make_node("Tanh", ["b"], ["c"]),
            helper.make_node("MatMul", ["c", "second"], ["d"]),
            helper.make_node(last, ["d"], ["output"]),
        ],
        "network",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(values, name) for name, values in named.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "network.onnx")
    return folder


def deep_model(folder, problem="binary", table=None, **declared):
    """A packaged two-layer network, and the test rows."""
    use_case = loans(**{**DECLARED[problem], **declared})
    parts = prepared(use_case, borrowers() if table is None else table).parts
    features = preprocess(parts, use_case)
    width = features.train.features.shape[1]
    network = write_deep_network(folder / "network", width, problem)
    package = package_model(network, features, parts, use_case, folder / "scorer")
    return Model(package.folder, "1"), parts.test


@pytest.fixture(scope="module")
def deep_folder(tmp_path_factory):
    """A binary model that refuses half of the rows; not calibrated, since its weights are random,
    and calibration would flatten its answers."""
    folder = tmp_path_factory.mktemp("deep")
    _, test = deep_model(folder)
    file = folder / "scorer" / "scorer.json"
    state = json.loads(file.read_text()) | {"calibration": {"method": "none"}}
    file.write_text(json.dumps(state))
    state["cut_off"] = float(np.median(Model(folder / "scorer", "1").answer(test)["probability"]))
    file.write_text(json.dumps(state))
    return folder / "scorer", test


@pytest.fixture(scope="module")
def deep(deep_folder):
    folder, test = deep_folder
    return Model(folder, "1"), test


def contributions_of(model, rows):
    columns, *_ = model.contract.check(rows)
    outputs = model.scorer.outputs(columns)
    return model.reasons.contributions.of(columns, outputs), outputs


def from_reference(model, outputs):
    """How far the explained value of each row is from the reference's."""
    decided = model.reasons.contributions.decided(outputs)
    reference = np.repeat(model.reasons.contributions.reference_outputs, len(outputs), axis=0)
    explain = model.reasons.contributions.explained
    return explain(outputs, decided) - explain(reference, decided)


def brute_force(model, row):
    """Shapley values of one raw row (a frame), by their definition, from the scorer's own answers
    to mixed raw rows."""
    reasons, names = model.reasons, model.reasons.names
    width = len(names)
    subsets = [set(s) for size in range(width + 1) for s in combinations(range(width), size)]
    mixed = [
        {n: row[n].iloc[0] if p in subset else reasons.reference[n] for p, n in enumerate(names)}
        for subset in subsets
    ]
    frame = pd.DataFrame(mixed)
    outputs = model.scorer.outputs(model.contract.check(frame)[0])
    decided = model.reasons.contributions.decided(outputs[[-1]]).repeat(len(outputs))
    value = dict(
        zip(map(frozenset, subsets), reasons.contributions.explained(outputs, decided), strict=True)
    )
    return [
        sum(
            math.factorial(len(s)) * math.factorial(width - len(s) - 1) / math.factorial(width)
            * (value[frozenset(s | {p})] - value[frozenset(s)])
            for s in subsets if p not in s
        )
        for p in range(width)
    ]  # fmt: skip


def moved_by_deletion(model, rows, most=3):
    """The deletion test: how far answers move back towards that of the reference, on average, where
    the weightiest columns that led away from it are put back, and where as many random ones are.

    Columns that led in opposite directions would cancel each other.
    """
    found, outputs = contributions_of(model, rows)
    away = np.sign(found.sum(axis=1))
    decided, generator = model.reasons.contributions.decided(outputs), np.random.default_rng(0)
    weightiest, drawn = rows.copy(), rows.copy()
    for place, contributions in enumerate(found * away[:, None]):
        order = np.argsort(-contributions, kind="stable")[: min(most, (contributions > 0).sum())]
        random = generator.permutation(np.flatnonzero(contributions))[: len(order)]
        for frame, chosen in ((weightiest, order), (drawn, random)):
            for position in chosen:
                name = model.reasons.names[position]
                at = frame.columns.get_loc(name)
                frame.iloc[place, at] = model.reasons.reference[name]
    before = model.reasons.contributions.explained(outputs, decided)
    after = (
        model.reasons.contributions.explained(contributions_of(model, one)[1], decided)
        for one in (weightiest, drawn)
    )
    return [((before - of_frame) * away).mean() for of_frame in after]


def words_of(answers):
    """All that is said as a reason."""
    said = answers.filter(regex=r"reason_\d$").to_numpy().ravel()
    return {one for one in said if isinstance(one, str)}


@pytest.mark.parametrize("problem", OUTPUT)
def test_they_are_shapley_values_of_the_raw_columns(problem, tmp_path):
    """A ratio is put down to both of its columns, a one-hot column to its category."""
    model, test = deep_model(tmp_path, problem)
    assert model.scorer.transformer.ratios
    rows = test.head(6).copy()
    rows.loc[rows.index[:2], "income"] = np.nan
    found, outputs = contributions_of(model, rows)
    scale = np.abs(found).max()
    for place in range(len(rows)):
        expected = brute_force(model, rows.iloc[[place]])
        np.testing.assert_allclose(found[place], expected, atol=1e-4 * max(scale, 1))
    np.testing.assert_allclose(found.sum(axis=1), from_reference(model, outputs), atol=1e-9)


def test_of_a_linear_model_they_are_coefficient_times_distance(tmp_path):
    small = small_model(tmp_path / "model", noise=0.1)
    model, rows = Model(small.package.folder, "1"), small.parts.test.head(50)
    found, outputs = contributions_of(model, rows)
    state = json.loads((small.package.folder / "scorer.json").read_text())
    network = onnx.load(small.package.folder / "network.onnx").graph.initializer
    coefficients = numpy_helper.to_array(network[0])[:, 0] * state["calibration"].get("slope", 1)
    assert state["calibration"]["method"] in ("none", "platt", "temperature")
    transformer = model.scorer.transformer
    distances = transformer.transform(model.contract.check(rows)[0]) - (
        model.reasons.contributions.reference_features
    )
    for position, name in enumerate(model.reasons.names):
        of_column = [one.startswith(name) for one in transformer.feature_names]
        expected = (distances * coefficients)[:, of_column].sum(axis=1)
        np.testing.assert_allclose(found[:, position], expected, atol=2e-4)
    np.testing.assert_allclose(found.sum(axis=1), from_reference(model, outputs), atol=1e-9)


def test_what_the_model_can_not_see_never_gets_a_reason(deep):
    model, test = deep
    found, _ = contributions_of(model, test.assign(always=np.arange(len(test))))
    assert not found[:, model.reasons.names.index("always")].any()
    answers = model.answer(test, reasons=6)
    named = {answers[f"reason_{n}_column"].dropna().iloc[k] for n in (1, 2, 3) for k in range(9)}
    assert named <= {"age", "income", "wealth", "housing", "region"}


def test_the_reference_has_no_reasons_and_is_made_of_aggregates(deep):
    model, test = deep
    point = pd.DataFrame([model.reasons.reference])
    found, _ = contributions_of(model, point)
    assert not found.any()
    assert model.answer_row(point.iloc[0].to_dict(), reasons=2)["reason_1"] is None
    assert set(test["income"]).isdisjoint({model.reasons.reference["income"]})


def test_the_usual_row_has_the_median_and_the_most_frequent_label_of_enough_rows():
    """Most rows must have a value, and as many as a model may show an aggregate of."""
    use_case = loans(**DECLARED["binary"])
    parts = prepared(use_case, borrowers()).parts
    transformer = preprocess(parts, use_case).transformer
    position = transformer.numeric.index("income")
    median = transformer.medians[position]

    def usual(column, cells):
        train = parts.train.head(len(cells)).assign(**{column: cells})
        return reasons_state(train, transformer, use_case)["reference"][column]

    assert use_case.minimum_rows_per_value == 20
    assert usual("income", [1.0] * 50 + [np.nan] * 50) == median
    assert usual("income", [1.0] * 49 + [np.nan] * 51) is None, "most rows have no value"
    assert usual("income", [1.0] * 20) == median
    assert usual("income", [1.0] * 19) is None, "too few rows"
    assert usual("housing", ["own"] * 30 + ["rent"] * 40 + ["free"] * 30) == "rent"
    assert usual("housing", ["own"] * 30 + ["rent"] * 30) == "rent", "of equals the last by name"
    assert usual("housing", ["own"] * 30 + [None] * 30) == "own"
    assert usual("housing", ["own"] * 30 + [None] * 31) is None, "most rows have no label"
    assert usual("housing", ["own"] * 19 + ["rent"] * 19) is None, "too few rows of each"
    assert usual("housing", ["own"] * 20 + ["boat"] * 40) == "own", "what the model does not name"


def test_a_row_has_the_same_reasons_alone_and_in_any_batch(deep):
    model, test = deep
    whole, _ = contributions_of(model, test)
    for rows in (test.iloc[[7]], test.iloc[5:9], test.iloc[::-1], pd.concat([test, test])):
        found, _ = contributions_of(model, rows)
        places = [test.index.get_loc(one) for one in rows.index]
        assert found.tolist() == whole[places].tolist()
    frame = model.answer(test, reasons=3)
    alone = model.answer_row(test.iloc[3].to_dict(), reasons=3)
    for name in ("reason_1", "reason_2_column", "reason_1_effect"):
        assert alone[name] == frame[name].iloc[3]


def test_missing_values_and_unseen_labels_have_reasons(deep):
    model, test = deep
    rows = test.head(40).assign(income=np.inf, region="nowhere")
    found, outputs = contributions_of(model, rows)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), from_reference(model, outputs), atol=1e-9)
    said = words_of(model.answer(rows, reasons=6))
    assert any(one.startswith("region is not the usual one: ") for one in said)
    assert any(one.startswith("income is missing: ") for one in said)
    assert not any("nowhere" in one for one in said), "never the value"


def test_refused_rows_have_adverse_reasons_only_and_declared_words(deep):
    model, test = deep
    answers = model.answer(test, reasons=6)
    effects = answers.filter(like="_effect")
    refused = answers["decision"] == 1
    assert refused.any()
    assert not refused.all()
    assert not (effects[refused] < 0).any(axis=None)
    assert (effects[~refused] < 0).any(axis=None)
    sizes = effects.abs().fillna(0).to_numpy()
    assert (np.diff(sizes, axis=1) <= 0).all(), "the weightiest first"
    assert [*answers.filter(like="reason_")] == [*model.reasons.types_of(6)]
    said = words_of(answers)
    assert "Too young" in said
    assert "age is low: raises the probability" not in said
    assert any(one.endswith(": lowers the probability") for one in said)


def test_what_is_adverse_follows_what_is_declared_as_favourable(deep_folder, tmp_path):
    folder, test = shutil.copytree(deep_folder[0], tmp_path / "scorer"), deep_folder[1]
    state = json.loads((folder / "scorer.json").read_text())
    assert state["reasons"]["favourable"] == [0], "by default the first of two classes"
    state["reasons"]["favourable"] = [1]
    (folder / "scorer.json").write_text(json.dumps(state))
    answers = Model(folder, "1").answer(test, reasons=6)
    refused, effects = answers["decision"] == 0, answers.filter(like="_effect")
    assert not (effects[refused] > 0).any(axis=None)
    assert (effects[~refused] > 0).any(axis=None)
    said = answers["reason_1"] == "Too young"
    assert said.any()
    assert (answers["reason_1_effect"][said] < 0).all(), "declared words speak against the customer"

    owners = Groups(favourable=("own",))
    model, test = deep_model(tmp_path / "several", "multiclass", groups=owners)
    answers = model.answer(test, reasons=6)
    refused, effects = answers["decision"] != "own", answers.filter(like="_effect")
    assert not (effects[refused] < 0).any(axis=None)
    assert (effects[~refused] < 0).any(axis=None)
    said = answers[answers["reason_1"] != "Too young"]
    of_class = " the probability of " + said["decision"]
    assert all(map(str.endswith, said["reason_1"], of_class)), "of the class that was decided"


@pytest.mark.parametrize("active", [1, 3, 10, tuple(range(2, 13))], ids=str)
def test_shapley_values_of_a_game_of_columns_and_pairs_are_exact(active):
    """What a column brings alone is its own, and what two bring together is shared by halves. An
    order and the same backwards give that exactly, however few orders are drawn: half of the time
    each of two columns comes first (Mitchell and others 2022)."""
    plan = coalitions_of(active, ())
    count = active if isinstance(active, int) else len(active)
    generator = np.random.default_rng(count)
    alone, together = generator.normal(size=count), generator.normal(size=(count, count))
    together = np.triu(together, 1) + np.triu(together, 1).T
    members = plan.coefficients[: plan.weights.shape[1], 1:].astype(np.float64)
    game = 7 + members @ alone + ((members @ together) * members).sum(axis=1) / 2
    np.testing.assert_allclose(plan.weights @ game, alone + together.sum(axis=1) / 2, atol=1e-12)
    distinct = 2**count if isinstance(active, int) else 64 * (count + 1)
    assert plan.weights.shape == (count, distinct), "each coalition of an order counts"
    assert not plan.coefficients[distinct:].any()
    assert 0 <= len(plan.coefficients) - distinct < ROWS_PER_TILE
    assert len(plan.coefficients) % ROWS_PER_TILE == 0


def test_of_ten_columns_all_coalitions_are_asked_and_of_eleven_those_along_orders():
    assert active_columns(bytes([1] * 10 + [0]), ()).coalitions == (10, ())
    eleven = (*range(10), 11)
    assert active_columns(bytes([1] * 10 + [0, 1]), ()).coalitions == (eleven, ())


def test_columns_beyond_ten_are_sampled_and_add_up_all_the_same(tmp_path):
    """Exact values of 13 columns are those of all 8,192 coalitions."""
    generator = np.random.default_rng(2)
    names = [f"x{n}" for n in range(13)]
    table = borrowers().assign(**{name: generator.normal(size=1500) for name in names})
    columns = tuple(number(name) for name in names)
    model, test = deep_model(tmp_path, "regression", table, columns=columns)
    rows = test.head(5)
    found, outputs = contributions_of(model, rows)
    np.testing.assert_allclose(found.sum(axis=1), from_reference(model, outputs), atol=1e-9)
    exact = np.array([brute_force(model, rows.iloc[[n]]) for n in range(2)])
    error = np.abs(found[:2] - exact).mean() / np.abs(exact).mean()
    assert error < 0.2, "of random weights; of trained ones about 0.02"
    assert contributions_of(model, rows.iloc[[4]])[0].tolist() == found[[4]].tolist()


def test_few_coalitions_are_kept_in_memory():
    """Of many columns each takes megabytes, and rows differ in which ones are missing."""
    for first in range(20):
        coalitions_of(tuple(range(first, first + 11)), ())
        active_columns(bytes([0] * first + [1] * 11), ())
    kept = coalitions_of.cache_info()
    assert kept.currsize <= 8
    assert active_columns.cache_info().maxsize < 10_000


def test_the_weightiest_columns_move_the_answer_more_than_random_ones_do(deep):
    model, test = deep
    weightiest, drawn = moved_by_deletion(model, test.head(100), most=2)
    assert weightiest > 1.2 * drawn


@pytest.mark.services
@pytest.mark.parametrize(
    "settings",
    [
        {"training.members": 1},
        {"training.members": 3},
        {"network.hidden_units": []},
        {"network.hidden_units": [], "training.members": 2},
        {"network.batch_normalisation": True},
        {"network.batch_normalisation": True, "training.members": 2},
        {"network.hidden_units": [8, 8, 8], "network.activation": "elu"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_the_network_over_coalitions_is_the_network(name, settings, tmp_path):
    from modelling.declaration.overrides import override
    from modelling.training.finished_network import save_network
    from modelling.training.network import build_network
    from use_cases import find_use_case

    use_case = override(find_use_case(name), {"network.hidden_units": [8, 4], **settings})
    network = build_network(use_case, 6, np.array([0, 1, 2]))
    save_network(network, tmp_path, np.zeros((1, 6), np.float32))
    write_coalition_network(tmp_path / "network.onnx", tmp_path)
    plain, first_layer, behind = (
        onnxruntime.InferenceSession(tmp_path / f"{file}.onnx")
        for file in ("network", "first_layer", "coalitions")
    )
    generator = np.random.default_rng(0)
    effects = generator.normal(size=(2, 5, 6)).astype(np.float32)
    coalitions = generator.integers(0, 2, (32, 5)).astype(np.float32)
    expected = plain.run(None, {"features": (coalitions @ effects).reshape(64, 6)})[0]
    bias = first_layer.run(None, {"features": np.zeros((1, 6), np.float32)})[0]
    moved = first_layer.run(None, {"features": effects.reshape(10, 6)})[0] - bias
    terms = np.concatenate([np.tile(bias, (2, 1, 1)), moved.reshape(2, 5, -1)], axis=1)
    found = behind.run(
        None,
        {"terms": terms, "coalitions": np.pad(coalitions, ((0, 0), (1, 0)), constant_values=1)},
    )[0]
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("members", [1, 3])
def test_so_it_is_where_features_lead_straight_to_the_output(members, tmp_path):
    settings = {"network.linear_skip": True, "training.members": members}
    test_the_network_over_coalitions_is_the_network("diabetes", settings, tmp_path)
