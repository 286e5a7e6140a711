"""`sff engine` without a GPU: sizes, the cache and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_key import KEY

from sff_ros.cli.engine import parse_size
from sff_ros.cli.main import main
from sff_ros.errors import ConfigError
from sff_ros.inference.tensorrt.engine_cache import EngineCache


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> EngineCache:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    return EngineCache()


@pytest.mark.parametrize(
    ('text', 'size'), [('640x480', (480, 640)), ('1x2', (2, 1)), ('1920x1080', (1080, 1920))]
)
def test_a_size_is_height_and_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    'text',
    [
        '640',
        '640x',
        'x480',
        '0x480',
        '640x480x3',
        '-1x4',
        'axb',
        '',
        '9' * 9999 + 'x9',
        '\u00b2x3',
    ],
)
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match='expected WxH'):
        parse_size(text)


def test_list_describes_each_engine(
    cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.get(KEY, lambda: bytes(1_500_000))
    (cache.folder / 'broken.engine').write_bytes(b'something else')
    assert main(['engine', 'list']) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == f'{cache.folder}: 2 engines'
    (sound,) = [line for line in lines if KEY.digest[:12] in line]
    for word in ('640x480', 'fp16', 'Orin 8.7', 'tensorrt 10.3.0', 'CUDA 12.6', '1.5 MB'):
        assert word in sound
    assert '  broken.engin  unusable: the file is no engine of this package' in lines


def test_clear_reports_the_number_deleted(
    cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.get(KEY, lambda: b'engine')
    assert main(['engine', 'clear']) == 0
    assert capsys.readouterr().out == f'{cache.folder}: 1 engines deleted\n'
    assert main(['engine', 'list']) == 0
    assert capsys.readouterr().out == f'{cache.folder}: 0 engines\n'


def test_an_empty_cache_makes_no_folder(
    cache: EngineCache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['engine', 'list']) == 0
    assert capsys.readouterr().out == f'{cache.folder}: 0 engines\n'
    assert not cache.folder.exists()


def test_build_names_what_is_missing(
    cache: EngineCache,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    model = tmp_path / 'other.onnx'
    model.write_bytes(b'no graph')
    assert main(['engine', 'build', '--model', str(model)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f'sff engine: error: {model}: other.onnx.json, which has its digest')


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['engine'])
    assert caught.value.code == 2
    assert 'the following arguments are required: ACTION' in capsys.readouterr().err
