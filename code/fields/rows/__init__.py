"""The rows of the table of options (code/fields/table.py), by what they are about. A new option is one new row."""
