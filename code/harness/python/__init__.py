"""The Python harness: reads one run.json and writes LoadGen's logs to one folder. The readable reference for the C++ harness."""
