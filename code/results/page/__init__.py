"""Report pages: one self-contained HTML file for each run, and an index of them."""
