"""`make docs`: write the generated parts of README.md and documentation/."""

from __future__ import annotations

from code.plan.option_pages import write_pages

if __name__ == "__main__":
    for path in write_pages():
        print(f"wrote {path}")
