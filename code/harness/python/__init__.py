"""The Python harness: one resolved run.json in, LoadGen's logs in one folder out. The readable reference for the C++ one."""
