"""What customers did, as one row each: recency, frequency, money, life-cycle, engagement; in batch or by the event."""
