"""One file per compared program: each trains the same network with the same optimizer and batches.

Each runs in a process of its own: ``python -m benchmarks.peers.NAME --batch-size 32 --epochs 3
--data FILE.npz`` prints one JSON line with the seconds of every epoch and the last validation loss.
"""
