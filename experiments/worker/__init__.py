"""The worker: computes results where there is something new, and takes promotions on their way."""
