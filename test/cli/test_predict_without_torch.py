"""`sff predict` where PyTorch is not installed, or is broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stack_files import make_folder

from sff_ros.cli.main import main


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put a folder first on the path, from which torch is imported anew."""
    for name in [*sys.modules]:
        if name.split('.')[0] == 'torch' or name.startswith('sff_ros.network'):
            monkeypatch.delitem(sys.modules, name)
    folder = tmp_path / 'torch'
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ("raise ModuleNotFoundError('No module named torch', name='torch')",
         'PyTorch is not installed: pip install torch'),
        ("raise ImportError('libgomp.so.1: cannot open shared object file')",
         'PyTorch cannot be loaded: libgomp.so.1: cannot open shared object file'),
    ],
)  # fmt: skip
def test_it_says_what_to_install(
    no_torch: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: str,
    message: str,
) -> None:
    (no_torch / '__init__.py').write_text(source + '\n')
    folder, out = make_folder(tmp_path / 'in'), tmp_path / 'out'
    assert main(['predict', str(folder), 'ckpt.pth', '--out', str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == ''
    assert said.err == f'sff predict: error: {message}\n'
    assert not out.exists()
