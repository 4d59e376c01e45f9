"""The textbook with Keras's own remedy: ``steps_per_execution=50``."""

from functools import partial

from benchmarks.peers import textbook
from benchmarks.peers.contract import main

if __name__ == "__main__":
    main(partial(textbook.train, steps_per_execution=50))
