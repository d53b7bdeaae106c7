"""Constants, errors, paths, files and console output shared by all packages."""
