"""Staging results for a round."""
