"""scipy.interpolate."""
