"""The vocabulary that every room shares: constants, fields, errors, paths and the console."""
