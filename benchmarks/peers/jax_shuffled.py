"""The same JAX, shuffled by JAX itself, as most of its users would."""

from collections.abc import Callable
from functools import partial

import jax

from benchmarks.peers import jax_scan
from benchmarks.peers.contract import Job, main

_permutation = partial(jax.jit, static_argnums=1)(jax.random.permutation)


def train(job: Job, epoch_done: Callable[[], None]) -> float:
    seed = jax.random.key(0)

    def order(epoch: int) -> jax.Array:
        return _permutation(jax.random.fold_in(seed, epoch), len(job.y))

    return jax_scan.train(job, epoch_done, order if job.shuffle else None)


if __name__ == "__main__":
    main(train)
