"""Stand-ins for an analyser and a time server, with which power-dev's programs can be run where there is neither."""
