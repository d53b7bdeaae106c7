"""What the machine does while a test runs: sources of readings, and the recorder that samples them into telemetry.npz."""
