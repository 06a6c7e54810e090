"""The data card of a data set, written from its own statistics, and the same as a page."""

from builders.card.page import as_html
from builders.card.write import command_of, write_card

__all__ = ["as_html", "command_of", "write_card"]
