"""Training: the recipes (numbers, no torch) and the loop."""
