"""What was counted of customers by following the log."""
