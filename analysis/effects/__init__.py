"""How large: values of arms, differences and lifts, with one test each that all its intervals invert."""
