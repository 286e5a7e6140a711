from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from stack_files import encode, texture

from sff_ros.cli.main import main
from sff_ros.files.image import read_image
from sff_ros.files.stack import read_stack
from sff_ros.training.drawing.rgbd import render_rgbd, spread_places


def write_pair(folder: Path, name: str, suffix: str = '_disparity.npy') -> None:
    """Write an image and its disparity, 40x32, a slope of 0 .. 39."""
    folder.mkdir(exist_ok=True)
    (folder / f'{name}.png').write_bytes(encode(texture(0)))
    slope = np.tile(np.arange(40, dtype=np.float16), (32, 1))
    if suffix.endswith('.npy'):
        np.save(folder / f'{name}{suffix}', slope)
    else:
        _, data = cv2.imencode(Path(suffix).suffix, slope.astype(np.float32))
        (folder / f'{name}{suffix}').write_bytes(data.tobytes())


def test_a_folder_of_pairs_becomes_stacks_with_ground_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path / 'in', 'a')
    write_pair(tmp_path / 'in', 'b', '_disparity.tiff')
    (tmp_path / 'in' / 'alone.png').write_bytes(encode(texture(1)))
    out = tmp_path / 'out'
    options = ['--slices', '5', '--blur-px', '1.5', '--noise', '2', '--seed', '3']
    assert main(['render', str(tmp_path / 'in'), '--out', str(out), *options]) == 0
    assert capsys.readouterr().out == f'{out / "a"}\n{out / "b"}\n'
    assert sorted(path.name for path in out.iterdir()) == ['a', 'b']
    ground_truth = np.load(out / 'a' / 'truth' / 'index.npy')
    assert ground_truth.dtype == np.float32
    np.testing.assert_allclose(ground_truth[7], np.linspace(0, 4, 40), atol=1e-6)
    for name in 'ab':
        stack = read_stack(out / name)
        sharp = np.asarray(read_image(tmp_path / 'in' / f'{name}.png'), np.uint8)
        expected = render_rgbd(sharp, ground_truth, range(5), 1.5, 2.0, 3)
        for i, image in enumerate(expected):
            np.testing.assert_array_equal(stack.image(i), image)


def test_metres_are_spread_by_their_inverse(tmp_path: Path) -> None:
    write_pair(tmp_path / 'in', 'a')
    depth_m = 1 / np.tile(np.linspace(2, 4, 40), (32, 1))
    np.save(tmp_path / 'z.npy', depth_m)
    arguments = [str(tmp_path / 'in' / 'a.png'), '--depth', str(tmp_path / 'z.npy'), '--metres']
    assert main(['render', *arguments, '--slices', '9', '--out', str(tmp_path / 'out')]) == 0
    ground_truth = spread_places(np.float32(1) / depth_m.astype(np.float32), 9)
    np.testing.assert_allclose(np.load(tmp_path / 'out/truth/index.npy'), ground_truth, atol=1e-5)
    np.testing.assert_allclose(ground_truth[0], np.linspace(0, 8, 40), atol=1e-5)
    assert len(read_stack(tmp_path / 'out').paths) == 9


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (
            ['gone', '--out', 'out'],
            'gone: is not a folder of scenes; a single image needs --depth',
        ),
        (['in/a.png', '--out', 'out'], 'a single image needs --depth MAP'),
        (['none', '--out', 'out'], r'none: has no pair NAME\.png and NAME_disparity\.npy'),
        (['in/a.png', '--depth', 'gone.npy', '--out', 'out'], r'gone\.npy: cannot be read'),
        (['in/a.png', '--depth', 'bad.npy', '--out', 'out'], r'bad\.npy: is cut off, damaged or'),
        (['in/a.png', '--depth', 'nan.npy', '--out', 'out'], r'nan\.npy: .*; 1 pixels are not'),
        (['in/a.png', '--depth', 'small.npy', '--out', 'out'], r'small\.npy: the image is'),
        (
            ['in/a.png', '--depth', 'in/a_disparity.npy', '--metres', '--out', 'out'],
            'metres must be > 0; 32 pixels are not',
        ),
        (['in', '--out', 'out', '--slices', '2'], '--slices must be 3 or more, not 2'),
        (['in', '--out', 'out', '--seed', '-1'], '--seed must be >= 0, not -1'),
        (['in', '--out', 'out', '--blur-px', '0'], 'blur_px must be > 0 px, not 0'),
        (['in', '--out', 'there'], 'there/a: exists already'),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    write_pair(tmp_path / 'in', 'a')
    (tmp_path / 'none').mkdir()
    (tmp_path / 'there' / 'a').mkdir(parents=True)
    (tmp_path / 'bad.npy').write_bytes(b'\x93NUMPY')
    np.save(tmp_path / 'small.npy', np.eye(4))
    values = np.ones((32, 40))
    values[0, 0] = np.nan
    np.save(tmp_path / 'nan.npy', values)
    monkeypatch.chdir(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob('*'))
    assert main(['render', *arguments]) == 1
    printed = capfd.readouterr()
    assert printed.out == ''
    assert re.fullmatch(rf'sff render: error: .*{message}.*\n', printed.err)
    assert sorted(str(path) for path in tmp_path.rglob('*')) == before
