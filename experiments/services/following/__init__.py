"""Following the log of events: what units do becomes what profiles say of them, seconds later."""
