"""A plain eager PyTorch loop. No DataLoader: slicing a permuted tensor is much faster."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from benchmarks.peers.contract import HIDDEN_UNITS, LEARNING_RATE, Job, main


def _network(features: int) -> nn.Module:
    torch.manual_seed(0)
    modules: list[nn.Module] = []
    for wide, narrow in pairwise((features, *HIDDEN_UNITS)):
        modules += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*modules, nn.Linear(HIDDEN_UNITS[-1], 1), nn.Sigmoid(), nn.Flatten(0))


def train(job: Job, epoch_done: Callable[[], None]) -> float:
    arrays = (job.x, job.y, job.x_validation, job.y_validation)
    x, y, x_validation, y_validation = (torch.as_tensor(array).float() for array in arrays)
    network, loss_of = _network(x.shape[1]), nn.BCELoss()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    history = []
    for epoch in range(job.epochs):
        total = torch.zeros(())
        order = torch.as_tensor(job.order(epoch))
        shuffled = zip(x[order].split(job.batch_size), y[order].split(job.batch_size), strict=True)
        for batch, target in shuffled:
            optimizer.zero_grad()
            loss = loss_of(network(batch), target)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(target)
        with torch.no_grad():
            val_loss = loss_of(network(x_validation), y_validation).item()
        history.append((total.item() / len(y), val_loss))
        epoch_done()
    return history[-1][1]


if __name__ == "__main__":
    main(train)
