"""OFREP 0.3.0: what Winnow's answers are in the OpenFeature Remote Evaluation Protocol."""
