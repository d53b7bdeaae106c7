"""Planning: from the command line to workloads whose values each have an origin."""
