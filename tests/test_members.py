"""An ensemble inside one network: members learn as they would alone, the output is their mean."""

import sys
import tempfile
from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pytest
from test_training import OnTheHost, batch_by_batch, declared, examples

from modelling.declaration import Network
from modelling.refusals import UsageError
from modelling.training.checkpoints import Checkpoints
from modelling.training.finished_network import save_network, weights_hash
from modelling.training.network import build_network, outputs_to_train
from modelling.training.optimizers import build_optimizer
from modelling.training.training_loop import LOSSES, row_weights, train_network

SMALL = Network(hidden_units=(16, 8), dropout=0.0)


def built(use_case, train):
    return build_network(use_case, train.features.shape[1], train.target)


def outputs_of_members(network, features):
    """(n, members, outputs), from the network's own graph."""
    members = keras.Model(network.inputs, outputs_to_train(network))
    return members.predict(features, verbose=0)


def member_alone(network, use_case, train, number):
    """A plain network with the weights of one member."""
    alone = built(declared(use_case.problem, use_case.network), train)
    alone.set_weights([weights[number] for weights in network.get_weights()])
    return alone


def test_the_output_is_the_mean_of_members_that_differ_and_so_is_the_validation_loss():
    use_case = declared("regression", SMALL, members=3)
    train, validation = examples("regression")
    network = built(use_case, train)
    history = train_network(network, train, validation, use_case)
    each = outputs_of_members(network, validation.features)
    assert each.shape == (len(validation.target), 3, 1)
    mean = each.mean(axis=1)
    np.testing.assert_allclose(network.predict(validation.features, verbose=0), mean, rtol=1e-4)
    loss = np.mean((mean[:, 0] - validation.target) ** 2)
    assert history.metrics["val_loss"][-1] == pytest.approx(loss, rel=1e-4)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(each[:, one] - each[:, other]).max() > 0.01


def test_one_member_is_the_plain_network():
    train, _ = examples("binary")
    network = built(declared("binary", SMALL, members=1), train)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["InputLayer", "Dense", "Activation", "Dense", "Activation", "Dense"]
    assert outputs_to_train(network) == network.outputs


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_members_start_as_spread_as_a_network_alone(activation):
    """He's and Glorot's deviations are those of one member, not of the packed kernel."""
    wide = Network(hidden_units=(300, 200), activation=activation, dropout=0.0)
    train, _ = examples("binary")
    alone, packed = (built(declared("binary", wide, members=m), train) for m in (1, 4))
    for name in ("hidden_1", "hidden_2", "output"):
        one, four = (np.asarray(n.get_layer(name).kernel) for n in (alone, packed))
        assert four.shape == (4, *one.shape)
        assert four.std() == pytest.approx(one.std(), rel=0.1)


@pytest.mark.parametrize(("problem", "weights"), [("binary", "balanced"), ("multiclass", "none")])
def test_each_member_learns_as_it_would_alone(problem, weights):
    """The loss is the mean of the members', and none sees the others' gradients.

    Plain SGD at ``members`` times the rate, for the mean divides each member's gradient by that.
    """
    sgd = {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant"}
    sgd |= {"class_weights": weights, "learning_rate": 0.09}
    use_case = declared(problem, SMALL, members=3, **sgd)
    train, validation = examples(problem)
    network = built(use_case, train)
    alone = [member_alone(network, use_case, train, number) for number in range(3)]
    ours = train_network(network, train, validation, use_case)
    weights = row_weights(train.target, use_case.training)
    steps = -(-len(train.target) // use_case.training.batch_size)
    slower = use_case.training.model_copy(update={"learning_rate": 0.03})
    losses = []
    for one in alone:
        one.compile(build_optimizer(slower, steps), LOSSES[problem], jit_compile=False)
        batches = batch_by_batch(train, weights, slower)
        fitted = one.fit(batches, steps_per_epoch=steps, epochs=slower.epochs, verbose=0)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(ours.metrics["loss"], np.mean(losses, axis=0), rtol=1e-4)
    for number, one in enumerate(alone):
        for packed, plain in zip(network.get_weights(), one.get_weights(), strict=True):
            np.testing.assert_allclose(packed[number], plain, rtol=1e-3, atol=2e-5)


def test_the_penalty_is_the_mean_of_the_members_penalties():
    declared_l2 = Network(hidden_units=(8,), dropout=0.0, l2=0.1)
    train, _ = examples("regression")
    network = built(declared("regression", declared_l2, members=4), train)
    kernels = np.asarray(network.get_layer("hidden_1").kernel)
    mean = np.mean([0.1 * np.sum(kernel**2) for kernel in kernels])
    assert float(sum(network.losses)) == pytest.approx(mean, rel=1e-5)


EVERYTHING = Network(hidden_units=(16, 8), dropout=0.3, batch_normalisation=True, l2=1e-3)


def test_batch_normalisation_keeps_members_apart():
    """Another member's weights change nothing of a member's outputs, also while training."""
    use_case = declared("binary", Network(hidden_units=(8,), batch_normalisation=True), members=2)
    train, _ = examples("binary")
    network = built(use_case, train)
    members = keras.Model(network.inputs, outputs_to_train(network))
    before = members(train.features)
    kernel = network.get_layer("hidden_1").kernel
    kernel.assign(np.asarray(kernel) * np.array([1.0, -5.0])[:, None, None])
    after = members(train.features)
    np.testing.assert_allclose(before[:, 0], after[:, 0], rtol=1e-5)
    assert np.abs(before[:, 1] - after[:, 1]).max() > 0.01
    assert network.get_layer("hidden_1_normalised").gamma.shape == (16,)


def test_a_resumed_ensemble_is_the_uninterrupted_one(tmp_path):
    train, validation = examples("multiclass")
    hashes, losses = [], []
    for stops in ((4,), (2, 4)):
        folder = tmp_path / str(len(stops))
        for epochs in stops:
            setting = {"members": 3, "epochs": epochs, "schedule": "constant"}
            use_case = declared("multiclass", EVERYTHING, **setting)
            network = built(use_case, train)
            checkpoints = Checkpoints(folder)
            history = train_network(network, train, validation, use_case, (), checkpoints)
        hashes.append(weights_hash(network))
        losses.append(history.metrics["loss"])
    assert hashes[0] == hashes[1]
    assert losses[0] == losses[1]


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    """Weights of another network do not fit; those for features made otherwise would, silently."""
    train, validation = examples("regression")
    usual = {"members": 1, "epochs": 1}
    checkpoints = Checkpoints(tmp_path)

    def go_on(train=train, network=SMALL, **settings):
        use_case = declared("regression", network, **{**usual, **settings})
        built_now = built(use_case, train)
        return train_network(built_now, train, validation, use_case, (), checkpoints)

    losses = go_on().metrics
    others = {
        "network.linear_skip=True, and now it is False": {
            "network": SMALL.model_copy(update={"linear_skip": False})
        },
        "another release, declaration or table": {
            "train": replace(train, features=np.log1p(np.abs(train.features)))
        },
        "training.optimizer=adamw, and now it is sgd": {"optimizer": "sgd"},
        "training.early_stopping_patience": {"early_stopping_patience": 5},
        "training.learning_rate=0.002, and now it is 0.5: set it back": {"learning_rate": 0.5},
        "training.epochs": {"epochs": 2},  # the schedule was made for one
    }
    for said, other in others.items():
        with pytest.raises(UsageError, match=said):
            go_on(**other)
    assert go_on(checkpoint_every_epochs=2).metrics == losses
    another_processor = replace(train, features=train.features * np.float32(1 + 1e-6))
    assert go_on(another_processor).metrics == losses
    older = checkpoints.newest()
    del older.arrays["rows"]
    checkpoints.save(older)
    with pytest.raises(UsageError, match="another release"):
        go_on()


def test_the_files_of_an_ensemble_score_as_it_does(tmp_path, monkeypatch):
    """And nothing else is left of saving them, not even what Python compiled meanwhile."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    use_case = declared("multiclass", EVERYTHING, members=3)
    train, validation = examples("multiclass")
    network = built(use_case, train)
    train_network(network, train, validation, use_case)
    save_network(network, tmp_path / "saved", train.features[:1])
    assert not [*tmp_path.glob("temporary/__pycache__/*")]
    assert not sys.dont_write_bytecode
    expected = network.predict(validation.features, verbose=0)
    assert expected.shape == (len(validation.target), 3)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    loaded = keras.models.load_model(tmp_path / "saved" / "network.keras", safe_mode=True)
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    np.testing.assert_allclose(loaded.predict(validation.features, verbose=0), expected, atol=1e-6)
    session = onnxruntime.InferenceSession(tmp_path / "saved" / "network.onnx")
    name = session.get_inputs()[0].name
    np.testing.assert_allclose(
        session.run(None, {name: validation.features})[0], expected, atol=1e-6
    )


def test_members_that_can_not_be_compiled_train_as_in_keras():
    use_case = declared("binary", Network(hidden_units=(8,), dropout=0.0), members=2)
    train, validation = examples("binary")
    compiled = train_network(built(use_case, train), train, validation, use_case)
    same = built(use_case, train)
    output, mean = same.layers[-2:]
    again = type(mean).from_config(mean.get_config())
    stubborn = keras.Model(same.inputs, again(output(OnTheHost()(output.input))))
    history = train_network(stubborn, train, validation, use_case)
    assert history.not_compiled
    np.testing.assert_allclose(history.metrics["loss"], compiled.metrics["loss"], rtol=1e-4)
