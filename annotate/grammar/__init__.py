"""The offline writer's grammar: one module per concern."""
