"""The network over coalitions: many mixtures of a row and the reference for the price of one layer.

A mixture's features are a sum: those of the reference, plus what each column of the row changes. So
are the outputs of the first layer, before its activation. The network is cut there: the first layer
is the widest, and runs once per column, not per mixture.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from modelling.scorer.scoring import open_network

# Affine in their one input that depends on the features.
AFFINE = {"MatMul", "Gemm", "Add", "Sub", "Mul"}
AFFINE |= {"Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity"}
PROBED_ROWS = 3


def write_coalition_network(network: Path, folder: Path) -> None:
    """Write ``network`` in two parts into ``folder``.

    ``first_layer.onnx`` is affine: from ``features`` (n, f) to ``terms`` (n, units). Summed over
    the terms of coalitions, they are the input of ``coalitions.onnx``: ``terms`` (rows, terms,
    units) and ``coalitions`` (coalitions, terms) to the network's outputs for
    ``coalitions @ terms``: (rows * coalitions, outputs). All are float32.
    """
    model = onnx.load(network)
    _rename_input(model.graph, "features")
    tensor, shape = _where_to_sum(model)
    onnx.save(_up_to(model, tensor), folder / "first_layer.onnx")
    onnx.save(_from_sums(model, tensor, shape), folder / "coalitions.onnx")


def _rename_input(graph: GraphProto, name: str) -> None:
    given = graph.input[0].name
    for node in graph.node:
        node.input[:] = [name if one == given else one for one in node.input]
    graph.input[0].name = name


def _where_to_sum(model: ModelProto) -> tuple[str, tuple[int, ...]]:
    """The last tensor that is affine in the features, has the rows first, and through which alone
    they reach the output, with the shape of a row of it: at worst the features themselves."""
    last = {one.name for one in model.graph.output}
    candidates = [
        name
        for name in _affine(model.graph)
        if name not in last and _is_bottleneck(model.graph, name)
    ]
    probed = ModelProto()
    probed.CopyFrom(model)
    made = {name for node in model.graph.node for name in node.output}
    probed.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in candidates if name in made
    )
    session = open_network(probed.SerializeToString())
    width = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    features = np.zeros((PROBED_ROWS, width), dtype=np.float32)
    outputs = [one.name for one in session.get_outputs()]
    found = dict(zip(outputs, session.run(None, {"features": features}), strict=True))
    shapes = {name: found.get(name, features).shape for name in candidates}
    return next((n, s[1:]) for n, s in reversed(shapes.items()) if s[0] == PROBED_ROWS)


def _affine(graph: GraphProto) -> Iterator[str]:
    """The tensors that are affine in the features, in the order of the graph."""
    affine, others = {"features"}, set[str]()
    yield "features"
    for node in graph.node:
        of_features = [name for name in node.input if name in affine | others]
        if not of_features or node.op_type == "Shape":
            continue
        if node.op_type in AFFINE and [one in affine for one in of_features] == [True]:
            affine |= {*node.output}
            yield node.output[0]
            continue
        others |= {*node.output}


def _is_bottleneck(graph: GraphProto, tensor: str) -> bool:
    """Whether the output depends on the features through ``tensor`` only."""
    made_by = {name: node for node in graph.node for name in node.output}
    waiting, seen = [one.name for one in graph.output], {tensor}
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _inputs(made_by.get(name))
    return tensor == "features" or "features" not in seen


def _inputs(node: onnx.NodeProto | None) -> Iterable[str]:
    return node.input if node is not None else ()


def _up_to(model: ModelProto, tensor: str) -> ModelProto:
    """The part of the network that makes ``tensor``, a row of which becomes flat ``terms``."""
    part = ModelProto()
    part.CopyFrom(model)
    part.graph.node.append(helper.make_node("Flatten", [tensor], ["terms"], axis=1))
    given = part.graph.input[0]
    del part.graph.output[:]
    part.graph.output.append(_floats("terms", None, None))
    return _pruned(part, [given])


def _from_sums(model: ModelProto, tensor: str, shape: tuple[int, ...]) -> ModelProto:
    """The part behind ``tensor``, a row of which has ``shape``, over sums of terms in its place.

    The members of an ensemble come first here, as in the layers behind: so ONNX Runtime does
    without turning the largest arrays around.
    """
    part = ModelProto()
    part.CopyFrom(model)
    graph = part.graph
    for node in graph.node:
        node.input[:] = ["mixed" if name == tensor else name for name in node.input]
    *members, units = (1, *shape)
    count = int(np.prod(members))
    sizes = {"by member": [0, 0, count, units], "flat": [count, -1, units], "row": [-1, *shape]}
    for name, size in sizes.items():
        graph.initializer.append(numpy_helper.from_array(np.array(size), f"{name} shape"))
    sums = [
        helper.make_node("Reshape", ["terms", "by member shape"], ["by member"]),
        helper.make_node("Transpose", ["by member"], ["members first"], perm=[2, 0, 1, 3]),
        helper.make_node("MatMul", ["coalitions", "members first"], ["sums"]),
        helper.make_node("Reshape", ["sums", "flat shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["rows first"], perm=[1, 0, 2]),
        helper.make_node("Identity", ["rows first"], ["mixed"])
        if shape == (count, units)
        else helper.make_node("Reshape", ["rows first", "row shape"], ["mixed"]),
    ]
    behind = [*graph.node]
    del graph.node[:]
    graph.node.extend([*sums, *behind])
    return _pruned(
        part, [_floats("terms", None, None, count * units), _floats("coalitions", None, None)]
    )


def _floats(name: str, *shape: int | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _pruned(model: ModelProto, inputs: list[onnx.ValueInfoProto]) -> ModelProto:
    """``model`` with these inputs, and without what its outputs don't need."""
    graph = model.graph
    needed, nodes = {one.name for one in graph.output}, []
    for node in reversed(graph.node):
        if needed & {*node.output}:
            needed |= {*node.input}
            nodes.append(node)
    kept = [one for one in graph.initializer if one.name in needed]
    given = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in inputs]
    for field, values in (
        (graph.node, nodes[::-1]), (graph.initializer, kept), (graph.input, given),
    ):  # fmt: skip
        del field[:]
        field.extend(values)
    del graph.value_info[:]  # the number of rows differs before and behind
    return model
