"""Who units are, what is known of them, and whether it may be kept."""
