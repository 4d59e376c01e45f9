"""One file per peer: the same network, optimizer, batches and validation in another way to train.

Each runs in a process of its own: ``python -m benchmarks.peers.NAME --batch-size 32 --epochs 3
--data FILE.npz`` prints one JSON line with the seconds of every epoch and the last validation loss.
"""
