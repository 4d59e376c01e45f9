"""How good the network is beside tuned boosting and regressions, on many public tables."""
