"""Structured chains that agree with the record: types, influence, reasoning, conclusion, answer."""
