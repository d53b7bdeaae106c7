"""Running a workload: devices, settings, launch and result."""
