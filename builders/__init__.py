"""Data sets and benchmarks from any source, in the formats that trainers and evaluators read."""
