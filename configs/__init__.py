"""Config files: one package per benchmark, one per scenario below it; see configuration.py for the language."""
