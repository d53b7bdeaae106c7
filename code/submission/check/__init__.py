"""Checks of a staged tree."""
