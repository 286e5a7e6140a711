from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from plain_ddl_gru import PlainDdlGru, Weights, standin_weights, torch
from stack_files import encode, make_folder, run_python, texture

from sff_ros.cli.main import main
from sff_ros.files.image import read_image
from sff_ros.network.paper.ddl_gru import DdlGru

SIZE = (32, 40, 3)


@pytest.fixture(scope='module')
def weights() -> Weights:
    return standin_weights(DdlGru().state_dict())


@pytest.fixture(scope='module')
def checkpoint(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp('weights') / 'ckpt_FT.pth'
    torch.save(weights, path)
    return str(path)


def read_prediction(folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    data = np.fromfile(folder / 'prediction.tiff', np.uint8)
    values = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
    assert values.dtype == np.float32
    return values


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_network_predicts_and_nothing_metric_is_written(
    tmp_path: Path, checkpoint: str, weights: Weights, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = make_folder(tmp_path / 'in', 5, 'focus_dpt: [1, 2, 3, 4, 5]\n'), tmp_path / 'out'
    command = ['predict', str(folder), checkpoint, '--iterations', '3']
    assert main([*command, '--out', str(out)]) == 0
    assert names(out) == {'prediction.tiff', 'prediction.png'}
    stack = np.stack([texture(i, SIZE) for i in range(5)])
    expected = PlainDdlGru(weights).predictions(stack, 3)[-1]
    np.testing.assert_allclose(read_prediction(out), expected, rtol=0, atol=1e-3)
    assert capsys.readouterr().out == (
        f"{out}: prediction.tiff in the units of the checkpoint's data set, prediction.png\n"
    )
    # In colour: the lowest values are blue, the highest red (the image is enlarged ten times).
    image = read_image(out / 'prediction.png').astype(int)[5:320:10, 5:400:10]
    low, high = np.percentile(expected, (5, 95))
    blueness = image[..., 2] - image[..., 0]
    assert blueness[expected < low].mean() > 20
    assert blueness[expected > high].mean() < -100


def test_32_iterations_are_the_default(tmp_path: Path, checkpoint: str) -> None:
    folder = make_folder(tmp_path / 'in', 4)
    for name, option in (('a', []), ('b', ['--iterations', '32'])):
        out = str(tmp_path / name)
        assert main(['predict', str(folder), checkpoint, '--out', out, *option]) == 0
    np.testing.assert_array_equal(read_prediction(tmp_path / 'a'), read_prediction(tmp_path / 'b'))


def test_images_of_16_bits_count_as_their_8_bits(tmp_path: Path, checkpoint: str) -> None:
    narrow, wide = make_folder(tmp_path / 'narrow', 4), make_folder(tmp_path / 'wide', 4)
    for i in range(4):
        stretched = texture(i, SIZE).astype(np.uint16) * 257
        (wide / f'slice_{i}.png').write_bytes(encode(stretched))
    predictions = []
    for folder in (narrow, wide):
        command = ['predict', str(folder), checkpoint, '--iterations', '1']
        assert main([*command, '--out', str(folder / 'out')]) == 0
        predictions.append(read_prediction(folder / 'out'))
    np.testing.assert_array_equal(predictions[0], predictions[1])


def test_outputs_of_the_other_kind_stay(tmp_path: Path, checkpoint: str) -> None:
    folder, out = make_folder(tmp_path / 'in', 4), tmp_path / 'out'
    assert main(['depth', str(folder), '--out', str(out)]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    command = ['predict', str(folder), checkpoint, '--out', str(out)]
    assert main([*command, '--iterations', '1']) == 0
    assert names(out) == before.keys() | {'prediction.tiff', 'prediction.png'}
    assert all((out / name).read_bytes() == data for name, data in before.items())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['CHECKPOINT', '--iterations', '0'], '--iterations is 0; allowed: 1 or more'),
        (['gone.pth'], r'gone\.pth: cannot be read: No such file or directory'),
        (['cut.pth'], r'cut\.pth: is cut off, damaged or not a PyTorch checkpoint'),
        (['other.pth'],
         r'other\.pth: is no checkpoint of DdlGru: 120 missing \(.*\); 1 unexpected \(weight\)'),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    checkpoint: str,
    options: list[str],
    message: str,
) -> None:
    make_folder(tmp_path / 'in')
    (tmp_path / 'cut.pth').write_bytes(Path(checkpoint).read_bytes()[:100_000])
    torch.save({'weight': torch.ones(2)}, tmp_path / 'other.pth')
    monkeypatch.chdir(tmp_path)
    options = [checkpoint if option == 'CHECKPOINT' else option for option in options]
    assert main(['predict', 'in', '--out', 'out', *options]) == 1
    said = capfd.readouterr()
    assert said.out == ''
    assert re.fullmatch(rf'sff predict: error: {message}\n', said.err)
    assert not (tmp_path / 'out').exists()


def test_too_small_images_are_named(
    tmp_path: Path, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        (tmp_path / f'{i}.png').write_bytes(encode(texture(i, (16, 16, 3))))
    out = tmp_path / 'out'
    assert main(['predict', str(tmp_path), checkpoint, '--out', str(out)]) == 1
    assert '16x16 is too small: one side must exceed 16 px' in capsys.readouterr().err
    assert not out.exists()


def test_depth_does_not_load_torch(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / 'in')
    done = run_python(
        '-c',
        'import sys, sff_ros.cli.main as m\n'
        f'm.main(["depth", {str(folder)!r}, "--out", {str(tmp_path / "out")!r}])\n'
        "print('torch' in sys.modules)",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'False'
