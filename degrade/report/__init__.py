"""The report of a run or data set: one HTML file that needs no network. No torch."""
