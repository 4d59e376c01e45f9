"""Train ``credit_scoring`` with the project's defaults, and print when each loss was reached.

``python -m benchmarks.project_defaults`` prints one JSON line. The clock starts after the imports
and the preprocessing and before the network is built, as in ``textbook_script.py``.
"""

import json
import time

from benchmarks.data import load
from modelling.training.network import build_network
from modelling.training.training_loop import train_network


def main() -> None:
    use_case, features = load()
    train, validation = features.train, features.validation
    reached: list[tuple[float, float]] = []
    start = time.perf_counter()
    network = build_network(use_case, train.features.shape[1], train.target, features.directions)
    train_network(
        network,
        train,
        validation,
        use_case,
        [lambda _, logs: reached.append((time.perf_counter() - start, logs["val_loss"]))],
        columns=features.columns,
    )
    rows, events = len(validation.target), int(validation.target.sum())
    print(json.dumps({"reached": reached, "validation_rows": rows, "validation_events": events}))


if __name__ == "__main__":
    main()
