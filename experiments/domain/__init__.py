"""Pure rules and values: standard library and the hash only, no clock, no randomness, no I/O."""
