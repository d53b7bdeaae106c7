"""Report pages: one self-contained HTML file per run, and an index."""
