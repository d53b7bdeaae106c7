"""Results: reading and judging LoadGen's logs, metadata.json, and reports."""
