"""One run: settings, launch, and what surrounds it."""
