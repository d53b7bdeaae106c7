"""From a result that somebody published to a config, command lines, and what is different here."""
