"""What users, disks and strangers do wrong, as a table: input, exit status, lines, and what may not exist afterwards."""
