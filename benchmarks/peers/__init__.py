"""What a user would take instead of an operator, one table of it: :data:`libraries.PEERS`."""
