"""`make mutation`: which small changes of the project's code its tests notice."""
