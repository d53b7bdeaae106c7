"""`python -m code.harness.schema`: rewrite run.schema.json after a change of the dataclasses."""

from __future__ import annotations

from code.common.files import write_json
from code.harness.schema.json_schema import FILE, json_schema
from code.harness.schema.run_spec import RunSpec

if __name__ == "__main__":
    write_json(FILE, json_schema(RunSpec))
