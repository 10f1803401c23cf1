"""What stored Records answer that the paper does not ask: one module a question."""
