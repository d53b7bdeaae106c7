"""`make soak`: commands that are killed at random moments under load, and run again."""
