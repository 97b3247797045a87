"""The promotion policy measured: worlds in which the truth is known, the real worker, and two baselines."""
