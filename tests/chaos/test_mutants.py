"""Every mutant can still be built, and its scenario exists; `make chaos MUTANTS=1` runs them."""

from __future__ import annotations

import ast

import pytest

from tests.chaos.patches import MUTANTS, PACKAGES, ROOT, Mutant, Patch, PatchError
from tests.chaos.scenarios import SCENARIOS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_patch_applies_and_leaves_python(mutant: Mutant) -> None:
    sources: dict[str, str] = {}
    for patch in mutant.patches:
        assert patch.file.split("/")[0] in PACKAGES
        source = sources.get(patch.file) or (ROOT / patch.file).read_text()
        sources[patch.file] = patch.applied(source)
        ast.parse(sources[patch.file])
    scenario = SCENARIOS[mutant.scenario]
    assert not mutant.venue or mutant.venue in scenario.venues


@pytest.mark.parametrize("source", ["nothing", "one two one"])
def test_a_patch_that_fits_nowhere_or_twice_is_an_error(source: str) -> None:
    with pytest.raises(PatchError, match="no longer applies"):
        Patch("file.py", "one", "three").applied(source)


def test_names_are_told_apart() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
