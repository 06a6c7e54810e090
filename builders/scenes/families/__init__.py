"""Families of scenes: one per file. A file dropped in here is registered."""
