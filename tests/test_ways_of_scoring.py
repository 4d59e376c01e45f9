"""A row has one answer: as a frame, as dictionaries, in a file of any kind, over HTTP.

Any table that trains is answered the same in all of these ways, to the last digit and in the order
of its rows. Hypothesis makes up the tables.
"""

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import loans, prepared, write_network

from modelling.declaration import Source, category, number
from modelling.features.preprocessing import preprocess
from modelling.judgement.packaging import package_model
from modelling.scorer.model import Model
from tasks.registry.scoring_runs import ModelInterface
from tasks.scoring.file_scoring import score_file

NAMES = [
    "row", "index", "prediction", "probability", "a.b", "x[0]", 'the "best"', "größe", "💶",
    "n" * 300, "city;code", "two\nlines", "broken_rules", "unknown", "0",
]  # fmt: skip
LABELS = [
    "001", "7", "007", "True", "False", "NA", "None", "nan", "1234567890123456789", " Paris", "a,b",
    'say "hi"', "two\nlines", "Übersee", "💶", "1e5", "1.10", "-0", "=SUM(A1)", "x" * 200,
]  # fmt: skip
ROWS = 120  # of which a training has 72, enough for numbers to differ


@st.composite
def tables(draw):
    """A table that trains: (frame, names of numbers, names of categories, target)."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=5, unique=True))
    numbers, labels, seed = names[:1], names[1:], draw(st.integers(0, 2**16))
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {numbers[0]: generator.normal(size=ROWS) * 10.0 ** generator.integers(-9, 9)}
    )
    if draw(st.booleans()):  # a flag, which is a number to its declaration
        frame[numbers[0]] = pd.Series(generator.random(ROWS) < 0.5, dtype=object)
    frame[numbers[0]] = frame[numbers[0]].mask(generator.random(ROWS) < 0.2)
    for name in labels:
        kind = draw(st.sampled_from(["text", "codes", "codes with gaps", "booleans"]))
        if kind == "text":
            cells = generator.choice(draw(st.lists(st.sampled_from(LABELS), min_size=1)), ROWS)
            cells = pd.Series(cells, dtype=object).where(generator.random(ROWS) > 0.1, None)
        elif kind == "booleans":
            cells = pd.Series(generator.random(ROWS) < 0.5)
        else:
            cells = pd.Series(generator.integers(0, 12, ROWS))
            cells = cells.mask(generator.random(ROWS) < 0.2) if "gaps" in kind else cells
        frame[name] = cells
    frame["the target"] = generator.integers(0, 2, ROWS)
    return frame, numbers, labels


def trained(frame, numbers, labels, folder):
    """A packaged model of the table as a use case declares it."""
    columns = (*map(number, numbers), *(category(name) for name in labels))
    use_case = loans(columns=columns, target="the target", gate=None)
    parts = prepared(use_case, frame).parts
    features = preprocess(parts, use_case)
    network = write_network(folder / "network", features, noise=0.0)
    return Model(package_model(network, features, parts, use_case, folder / "scorer").folder, "1")


def answers_of_file(model, path, numbers, labels, folder):
    kinds = {**dict.fromkeys(numbers, "number"), **dict.fromkeys(labels, "category")}
    outputs = {"probability": "double", "decision": "long", "model_version": "string"}
    outputs |= {"broken_rules": "string", "unknown": "string"}
    output = Path(folder) / "answers.parquet"
    score_file(ModelInterface(model.answer, kinds, outputs), Source(uri=str(path)), output)
    return pd.read_parquet(output)["probability"].to_numpy()


def ways(model, frame, numbers, labels, folder):
    """The probabilities of all rows, by the way that they took."""
    folder = Path(folder)
    yield "frame", model.answer(frame)["probability"]
    rows = json.loads(frame.to_json(orient="records", double_precision=15))
    for row, whole in zip(rows, frame[numbers[0]], strict=True):
        if isinstance(whole, float):
            row[numbers[0]] = None if whole != whole else whole
    yield "dictionaries", [model.answer_row(row)["probability"] for row in rows]
    yield "JSON", model.answer(pd.DataFrame(json.loads(json.dumps(rows))))["probability"]
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "a.parquet")
    (folder / "a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    (folder / "parts").mkdir(exist_ok=True)
    frame.head(25).to_csv(folder / "parts" / "1.csv", index=False)
    frame.iloc[25:].to_csv(folder / "parts" / "2.csv", index=False)
    for name in ("a.csv", "a.parquet", "a.csv.gz", "parts"):
        yield name, answers_of_file(model, folder / name, numbers, labels, folder)
    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = model.answer(frame.iloc[order])
    assert shuffled.index.tolist() == order.tolist()
    yield "shuffled", shuffled["probability"].loc[range(len(frame))]


@pytest.mark.parametrize("examples", [8, pytest.param(500, marks=pytest.mark.evidence)])
def test_a_row_has_one_answer_whichever_way_it_comes(examples):
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(tables())
    def holds(made):
        frame, numbers, labels = made
        with TemporaryDirectory() as folder:
            model = trained(frame, numbers, labels, Path(folder))
            frame = frame.drop(columns="the target")
            (_, expected), *others = ways(model, frame, numbers, labels, folder)
            for way, answered in others:
                np.testing.assert_array_equal(np.asarray(answered, float), expected, err_msg=way)

    holds()
