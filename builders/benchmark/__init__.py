"""Benchmarks: every item of a source undamaged and at several levels, sharing every draw."""

from builders.benchmark.build import BenchmarkBuild
from builders.benchmark.recipe import BenchmarkRecipe, from_source, load, preset_names

__all__ = ["BenchmarkBuild", "BenchmarkRecipe", "from_source", "load", "preset_names"]
