from __future__ import annotations

from pathlib import Path

import pytest

from sff_ros.cli.main import main

PAGE = Path(__file__).parents[2] / 'docs' / 'parameters.md'


def test_the_page_is_in_sync_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['parameters']) == 0
    assert PAGE.read_text() == capsys.readouterr().out, './run sff parameters > docs/parameters.md'
