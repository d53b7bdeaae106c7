"""The harness process, in Python and C++, and the schema of the file it is given."""
