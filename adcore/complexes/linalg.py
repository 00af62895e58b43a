"""Linear algebra of complex matrices."""
