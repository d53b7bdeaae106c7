"""The vocabulary that all packages share: constants, fields, errors, paths and the console."""
