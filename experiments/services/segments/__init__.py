"""What is told of segments and customers: cards, members, reports. Requests read only what the worker stored."""
