"""Tuning: search for a config's best values on the machine it is for (`make tune`)."""
