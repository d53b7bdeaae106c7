"""run.json, which both harnesses read."""
