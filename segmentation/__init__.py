"""Who customers are, from tables of what they did and are: usable alone on anybody's data, knows nothing of Winnow."""
