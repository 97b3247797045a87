"""What sources say of units, and the registry of what they may say."""
