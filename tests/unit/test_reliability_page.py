"""The page on faults names the tests that show what it says; they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/\w+/\w+\.py)(?:::(\w+))?`")


def test_every_row_names_tests_that_exist():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Fault")]
    assert rows
    for row in rows:
        named = NAMED.findall(row)
        assert named, row
        for file, test in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert not test or f"def {test}(" in text, (file, test)
