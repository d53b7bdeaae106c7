"""The schema of run.json, the harness's only input: dataclasses, strict reader and JSON Schema."""
