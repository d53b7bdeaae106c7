"""Known systems: matching, estimates, adding, descriptions."""
