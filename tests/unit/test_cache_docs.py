"""The page of the cache: examples print what stands beneath them, every count is explained."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vacancy.cache.stats import CacheStats

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cache.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(3))
def test_an_example_prints_what_stands_beneath_it(number: int) -> None:
    assert len(EXAMPLES) == 3
    code, printed = EXAMPLES[number]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    assert ran.stdout == printed


def test_every_count_is_explained() -> None:
    section = PAGE.split("## Statistics")[1].split("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(explained) == sorted(CacheStats.__struct_fields__)
