"""Side by side: ours, the physical floor and the peers, interleaved; results are in `docs/benchmarks.md`."""
