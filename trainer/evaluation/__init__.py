"""Evaluation: ask a model about every picture of a benchmark, judge what it says, count."""
