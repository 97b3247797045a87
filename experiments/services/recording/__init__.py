"""What was shown and what happened: checked, and durable before it is acknowledged."""
