from __future__ import annotations

import re
from pathlib import Path

import pytest
from stack_files import DOME, make_folder, run_python
from walls import FOCUS, K, write_walls

from sff_ros.cli import depth as depth_verb
from sff_ros.cli.main import main
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.files.camera_info import write_camera_info


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['gone', '--out', 'out'], r'gone: is not a folder of images: No such file'),
        (['in/slice_1.png', '--out', 'out'], r'slice_1\.png: is not a folder of images'),
        (['empty', '--out', 'out'], 'empty: has 0 images, a stack needs 3 or more'),
        (['cut', '--out', 'out'], r'slice_2\.png: is cut off'),
        (['wrong', '--out', 'out'], r"stack\.yaml: unknown key 'focus'; did you mean focus_m"),
        (['in', '--out', 'out', '--backend', 'magic'], "backend 'magic' is unknown; one of auto"),
        (['in', '--out', 'out', '--camera-info', 'gone.yaml'], r'gone\.yaml: cannot be read'),
        (['in', '--out', 'out', '--camera-info', 'twice.yaml'],
         r'twice\.yaml is for 80x64, the images of in are 40x32'),
        (['in', '--out', 'out', '--model', 'ckpt_FT.pth'],
         r'ckpt_FT\.pth: is a checkpoint, no model; .*`sff predict` runs those of the paper'),
        (['in', '--out', 'out', '--iterations', '3'], '--iterations .* use `sff predict`'),
        (['in', '--out', 'out', '--model', 'a.onnx', '--backend', 'peak'],
         r'backend peak runs no model, but model is a\.onnx'),
        (['in', '--out', 'out', '--model', 'gone.onnx', '--backend', 'onnx'],
         r'gone\.onnx: cannot be read: No such file'),
        (['in', '--out', 'in'], '--out in is the input folder'),
        (['in', '--out', 'twice.yaml'], r'--out twice\.yaml: twice\.yaml is a file, not a folder'),
        (['in', '--out', 'twice.yaml/out'], r'twice\.yaml is a file, not a folder'),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    make_folder(tmp_path / 'in')
    make_folder(tmp_path / 'empty', 0)
    make_folder(tmp_path / 'wrong', yaml='focus: [1, 2, 3, 4]')
    cut = make_folder(tmp_path / 'cut') / 'slice_2.png'
    cut.write_bytes(cut.read_bytes()[:-30])
    write_camera_info(tmp_path / 'twice.yaml', Intrinsics(80, 64, 90, 90, 40, 32))
    monkeypatch.chdir(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob('*'))
    assert main(['depth', *arguments]) == 1
    said = capfd.readouterr()
    assert said.out == ''
    assert re.fullmatch(rf'sff depth: error: .*{message}.*\n', said.err)
    assert sorted(str(path) for path in tmp_path.rglob('*')) == before


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize('exists', [False, True])
def test_a_failure_half_way_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exists: bool,
) -> None:
    folder, out = write_walls(tmp_path / 'in', FOCUS + K), tmp_path / 'out'
    if exists:
        out.mkdir()
        (out / 'index.tiff').write_bytes(b'old')

    def fill_the_disk(path: Path, *_: object) -> None:
        assert len(names(path.parent)) == 7
        raise OSError(28, 'No space left on device', str(path))

    monkeypatch.setattr(depth_verb, 'write_ply', fill_the_disk)
    assert main(['depth', str(folder), '--out', str(out)]) == 1
    assert 'sff depth: error: [Errno 28] No space left' in capsys.readouterr().err
    assert names(tmp_path) == ({'in', 'out'} if exists else {'in'})
    assert not exists or (out / 'index.tiff').read_bytes() == b'old'


def test_a_cut_jpeg_ends_the_program_with_one_line(tmp_path: Path) -> None:
    for path in DOME.glob('*.jpg'):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    cut = tmp_path / 'slice_004.jpg'
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    out = tmp_path / 'never'
    done = run_python('-m', 'sff_ros.cli', 'depth', str(tmp_path), '--out', str(out))
    assert (done.returncode, done.stdout) == (1, '')
    message = f'sff depth: error: {cut}: is cut off: the JPEG has no end marker\n'
    assert done.stderr == message
    assert not out.exists()
