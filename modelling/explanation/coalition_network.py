"""The network over coalitions: many mixtures of a row and the reference for the price of one layer.

A mixture's features are a sum: those of the reference, plus what each column of the row changes. So
are the outputs of the first layer, before its bias. The network gets a second input, which says
what is summed, behind that layer: it is the widest, and runs once per column, not per mixture.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

# Linear in their one input that depends on the features; a Gemm only without its bias.
LINEAR = {"MatMul", "Gemm", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity"}
PROBED_ROWS = 3


def write_coalition_network(network: Path, written: Path) -> None:
    """Write ``network`` with a second input.

    Inputs of the result are ``features`` (terms, f) and ``coalitions`` (coalitions, terms), both
    float32; its output is that of the network for ``coalitions @ features``: (coalitions, outputs).
    """
    model = onnx.load(network)
    _rename_input(model.graph, "features")
    tensor, shape = _where_to_sum(model)
    _insert_sums(model.graph, tensor, shape)
    del model.graph.value_info[:]  # the number of rows differs before and behind
    onnx.save(model, written)


def _rename_input(graph: GraphProto, name: str) -> None:
    given = graph.input[0].name
    for node in graph.node:
        node.input[:] = [name if one == given else one for one in node.input]
    graph.input[0].name = name


def _where_to_sum(model: ModelProto) -> tuple[str, tuple[int, ...]]:
    """The last tensor that is linear in the features, has the rows first, and through which alone
    they reach the output, with the shape of a row of it: at worst the features themselves."""
    candidates = [name for name in _linear(model.graph) if _is_bottleneck(model.graph, name)]
    probed = ModelProto()
    probed.CopyFrom(model)
    made = {name for node in model.graph.node for name in node.output}
    probed.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in candidates if name in made
    )
    session = onnxruntime.InferenceSession(probed.SerializeToString(), _quiet())
    width = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    features = np.zeros((PROBED_ROWS, width), dtype=np.float32)
    outputs = [one.name for one in session.get_outputs()]
    found = dict(zip(outputs, session.run(None, {"features": features}), strict=True))
    shapes = {name: found.get(name, features).shape for name in candidates}
    return next((n, s[1:]) for n, s in reversed(shapes.items()) if s[0] == PROBED_ROWS)


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return options


def _linear(graph: GraphProto) -> Iterator[str]:
    """The tensors that are linear in the features, in the order of the graph."""
    linear, others = {"features"}, set[str]()
    yield "features"
    for node in graph.node:
        of_features = [name for name in node.input if name in linear | others]
        if not of_features or node.op_type == "Shape":
            continue
        has_bias = node.op_type == "Gemm" and len(node.input) > 2
        if (
            node.op_type in LINEAR
            and not has_bias
            and [one in linear for one in of_features] == [True]
        ):
            linear |= {*node.output}
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


def _insert_sums(graph: GraphProto, tensor: str, shape: tuple[int, ...]) -> None:
    """Put the sums in the place of ``tensor``, a row of which has ``shape``."""
    mixed, flat, sums, sizes = (f"{tensor} {what}" for what in ("mixed", "flat", "sums", "shape"))
    for node in graph.node:
        node.input[:] = [mixed if name == tensor else name for name in node.input]
    places = [at + 1 for at, node in enumerate(graph.node) if tensor in node.output]
    for node in (
        helper.make_node("Reshape", [sums, sizes], [mixed]),
        helper.make_node("MatMul", ["coalitions", flat], [sums]),
        helper.make_node("Flatten", [tensor], [flat], axis=1),
    ):
        graph.node.insert(places[0] if places else 0, node)
    graph.initializer.append(numpy_helper.from_array(np.array([-1, *shape]), sizes))
    float32 = TensorProto.FLOAT
    graph.input.append(helper.make_tensor_value_info("coalitions", float32, [None, None]))
