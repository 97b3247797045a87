"""Who customers are, beside the bare queries: `make bench-segments`."""
