"""What a machine is: known hardware and systems as data, detection, matching, descriptions. Importing probes nothing."""
