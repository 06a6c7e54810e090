"""Fine-tuning, rewards and evaluation on data made here."""
