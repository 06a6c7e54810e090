"""Cases to test chains with: scenes with questions, and chains that contradict their record."""
