"""Campaigns: many runs by one file, resumed at the missing one, and the acceptance of fleets of equal nodes."""
