"""Every mutant can still be planted: one that no longer fits must not pass for caught."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.cache.mutant import PACKAGE, Mutant
from tests.cache.mutants import MUTANTS
from tests.cache.unseen import UNSEEN

ALL: tuple[Mutant, ...] = (*MUTANTS, *UNSEEN)


def test_there_are_enough_and_their_names_are_unique() -> None:
    assert len(MUTANTS) >= 24 and len(UNSEEN) >= 6
    assert [name for name, times in Counter(one.name for one in ALL).items() if times > 1] == []
    assert all(one.breaks and one.engines for one in ALL)
    assert all(one.edits or one.drops or one.postgresql_ddl for one in ALL)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_it_fits_the_sources(mutant: Mutant, tmp_path: Path) -> None:
    for file in {edit.file for edit in mutant.edits}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / file, tmp_path / file)
    for edit in mutant.edits:
        before = (tmp_path / edit.file).read_text()
        edit.apply(tmp_path)
        after = (tmp_path / edit.file).read_text()
        assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before)), "it changes nothing"
    assert mutant.edits or all([*mutant.ddl(engine)] for engine in mutant.engines)
