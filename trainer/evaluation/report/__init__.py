"""The report of one or more evaluations: one page without network, and its tables as Markdown."""
