"""The documents hold every command, every flag, every setting and every error code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from tests.cli.commands import vacancy
from tests.cli.test_main import leaves
from vacancy.cli.main import commands
from vacancy.config import PREFIX, Settings
from vacancy.contracts.finding import Kind
from vacancy.errors import EXIT_CODE, HTTP_STATUS, KINDS
from vacancy.perf.alerts import Kind as AlertKind

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMMANDS = (DOCS / "commands.md").read_text()
ERRORS = (DOCS / "errors.md").read_text()
SETTINGS = (DOCS / "settings.md").read_text()
SHARED = {"--json", "--env", "--data-dir", "--database-url"}

ALERTS = set(get_args(AlertKind)) - {"STATEMENT_BUDGET_EXCEEDED"}
"""Kinds of alerts stand in docs/live-figures.md; this one is an error as well."""

CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
NO_CODES: set[str] = {*get_args(Kind), *ALERTS, "CLOCK_BOOTTIME"}
"""Texts in capitals that are something else: findings stand in docs/contracts.md."""


def codes_in_source() -> dict[str, set[str]]:
    """Each code with the kinds it is raised as, as far as the text tells."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if CODE.fullmatch(node.value) and node.value not in NO_CODES:
                    found.setdefault(node.value, set())
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in KINDS and isinstance(first, ast.Constant):
                    found.setdefault(str(first.value), set()).add(node.func.id)
    return found


def codes_in_docs() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (\w+) \| (.+) \|$", ERRORS, re.MULTILINE)
    assert len({code for code, _, _ in rows}) == len(rows)
    return {code: kind for code, kind, _ in rows}


def test_every_error_code_is_documented_with_its_kind() -> None:
    documented, raised = codes_in_docs(), codes_in_source()
    assert len(raised) > 50
    assert sorted(raised.keys() - documented.keys()) == [], "write them into docs/errors.md"
    assert sorted(documented.keys() - raised.keys()) == [], "nothing raises them any more"
    for code, kinds in raised.items():
        assert kinds <= {documented[code]}, code


def test_every_kind_is_documented_with_its_status_and_exit_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", ERRORS, re.MULTILINE)
    assert {KINDS[name]: int(status) for name, status, _ in rows} == HTTP_STATUS
    assert {KINDS[name]: int(code) for name, _, code in rows} == EXIT_CODE


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \| (.+) \|$", SETTINGS, re.MULTILINE)
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    assert [name for name, *_ in rows] == list(fields)
    for name, variable, default, _ in rows:
        assert variable == PREFIX + name.upper()
        match fields[name].default:
            case "" | ():
                assert not default.startswith("``")
            case bool(flag):
                assert default == f"`{str(flag).lower()}`"
            case value:
                assert default == f"`{value}`"
    for value in get_args(fields["env"].type):
        assert f"`{value}`" in SETTINGS


@pytest.mark.parametrize("name", sorted(leaves(commands)))
def test_every_command_and_flag_is_documented(name: str) -> None:
    assert f"\n## {name}\n" in COMMANDS
    assert f"[`{name}`](#{name.replace(' ', '-')})" in COMMANDS
    section = COMMANDS.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for option in leaves(commands)[name].params:
        if isinstance(option, click.Option):
            for flag in set(option.opts) - SHARED:
                assert flag in section, flag
    assert "`--json`: `{" in section or name in ("vacancy serve", "vacancy demo")


def test_no_document_describes_a_command_that_is_not_there() -> None:
    assert set(re.findall(r"^## (vacancy .+)$", COMMANDS, re.MULTILINE)) == set(leaves(commands))


def test_the_property_file_of_the_documents_works(empty_folder: Path) -> None:
    example = COMMANDS.split("```toml\n")[1].split("```")[0]
    (empty_folder / "lakeside.toml").write_text(example)
    assert vacancy("db", "migrate").code == 0
    made = vacancy("properties", "create", "lakeside.toml", "--json").document
    assert (made["code"], made["room_types"]) == ("lakeside", ["double", "single"])
    of_help = vacancy("properties", "create", "--help").stdout.partition('code = "alpine"')
    (empty_folder / "alpine.toml").write_text(of_help[1] + of_help[2].partition("\nOptions:")[0])
    made = vacancy("properties", "create", "alpine.toml", "--json").document
    assert (made["code"], made["nights"]) == ("alpine", 400)


def test_the_settings_file_of_the_documents_works(empty_folder: Path) -> None:
    example = SETTINGS.split("```toml\n")[1].split("```")[0]
    (empty_folder / "vacancy.toml").write_text(example)
    said = vacancy("db", "status", "--database-url", "sqlite:///none.db", "--json")
    assert said.refusal["code"] == "DATABASE_MISSING"


def test_every_finding_of_contracts_is_documented() -> None:
    text = (DOCS / "contracts.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| .+ \| .+ \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted(get_args(Kind))
