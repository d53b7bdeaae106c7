"""The rows of the table of options (code/fields/table.py), by topic. A new option is one new row."""
