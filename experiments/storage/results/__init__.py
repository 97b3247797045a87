"""What came of experiments: snapshots, and who has moved since."""
