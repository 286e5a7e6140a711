from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from stack_files import DOME
from walls import COUNT, FOCUS, FOCUS_DPT, LEFT, LEFT_M, RIGHT, RIGHT_M, SIZE, D, K, write_walls

from sff_ros.cli.main import main
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.focus.estimate import SURE
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.files.camera_info import write_camera_info
from sff_ros.files.image import read_image

ALWAYS = {'index.tiff', 'confidence.tiff', 'confidence.png', 'all_in_focus.png', 'depth.png'}
METRIC = {'depth.tiff', 'standard_deviation.tiff'}
INNER = (slice(16, -16), slice(16, -16))  # away from the border of the image


def read_map(path: Path) -> npt.NDArray[np.float32]:
    values = np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
    assert values.dtype == np.float32
    assert values.ndim == 2
    return values


def halves(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return what lies well inside the left and the right half."""
    middle = SIZE[0] // 2
    return values[16:-16, 16 : middle - 16], values[16:-16, middle + 16 : -16]


def read_ply(path: Path) -> npt.NDArray[Any]:
    head, _, body = path.read_bytes().partition(b'end_header\n')
    lines = head.decode().splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    assert [line for line in lines if line.startswith('property')] == [
        *(f'property float {name}' for name in ('x', 'y', 'z')),
        *(f'property uchar {name}' for name in ('red', 'green', 'blue')),
    ]
    vertices = np.frombuffer(body, [('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    assert f'element vertex {len(vertices)}' in lines
    return vertices


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_without_focus_there_are_positions_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = write_walls(tmp_path / 'in'), tmp_path / 'new' / 'out'
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    assert names(out) == ALWAYS
    said = capsys.readouterr()
    assert said.out.splitlines()[1:] == [
        'no depth.tiff, no cloud.ply: focus distances are unknown'
    ]
    assert said.err == ''
    position, confidence = read_map(out / 'index.tiff'), read_map(out / 'confidence.tiff')
    assert position.shape == confidence.shape == SIZE[::-1]
    assert ((position >= 0) & (position <= COUNT - 1)).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()
    sharp = read_image(out / 'all_in_focus.png').astype(int)
    for side, best in enumerate((LEFT, RIGHT)):
        assert np.abs(halves(position)[side] - best).mean() < 0.1
        slice_ = read_image(tmp_path / 'in' / f'slice_{best}.png')
        assert np.abs(halves(sharp)[side] - halves(slice_)[side]).mean() < 3


def test_with_focus_and_intrinsics_there_are_metres_and_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    assert main(['depth', str(write_walls(tmp_path / 'in', FOCUS + K)), '--out', str(out)]) == 0
    assert names(out) == ALWAYS | {*METRIC, 'cloud.ply'}
    assert len(capsys.readouterr().out.splitlines()) == 1
    depth_m = read_map(out / 'depth.tiff')
    for half, expected in zip(halves(depth_m), (LEFT_M, RIGHT_M), strict=True):
        assert np.isfinite(half).mean() > 0.9
        assert np.nanmean(np.abs(half[np.isfinite(half)] - expected)) < 0.02 * expected
    finite = np.isfinite(depth_m)
    deviation_m = read_map(out / 'standard_deviation.tiff')
    np.testing.assert_array_equal(np.isfinite(deviation_m), finite)
    assert 0 < np.median(deviation_m[finite]) < 0.05 * LEFT_M
    points = read_ply(out / 'cloud.ply')
    assert len(points) == finite.sum()
    np.testing.assert_array_equal(points['xyz'][:, 2], depth_m[finite])
    x = (np.arange(SIZE[0]) - 79.5) / 200 * depth_m
    np.testing.assert_allclose(points['xyz'][:, 0], x[finite], rtol=1e-5)
    sharp = read_image(out / 'all_in_focus.png')
    np.testing.assert_array_equal(points['rgb'], sharp[finite])


@pytest.mark.parametrize('yaml', [FOCUS, FOCUS + 'camera_matrix: [0, 0, 0, 0, 0, 0, 0, 0, 0]\n'])
def test_without_intrinsics_there_are_no_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], yaml: str
) -> None:
    out = tmp_path / 'out'
    assert main(['depth', str(write_walls(tmp_path / 'in', yaml)), '--out', str(out)]) == 0
    assert names(out) == ALWAYS | METRIC
    assert capsys.readouterr().out.splitlines()[1:] == [
        'no cloud.ply: camera_matrix is zero or not given'
    ]


def test_confidence_decides_what_is_depth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(write_walls(tmp_path / 'in', FOCUS + K))
    share = {}
    for limit in ('0', '0.5', '1'):
        out = tmp_path / limit
        assert main(['depth', folder, '--out', str(out), '--min-confidence', limit]) == 0
        depth_m, confidence = read_map(out / 'depth.tiff'), read_map(out / 'confidence.tiff')
        np.testing.assert_array_equal(np.isnan(depth_m), confidence < float(limit))
        share[limit] = np.isnan(depth_m).mean()
    assert share['0'] == 0
    assert share['1'] > share['0.5']
    capsys.readouterr()
    assert main(['depth', folder, '--out', str(out), '--min-confidence', '1.5']) == 1
    assert 'min_confidence is 1.5; allowed: 0 .. 1' in capsys.readouterr().err


def test_a_sweep_that_breathes_is_aligned_unless_asked_not_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_walls(tmp_path / 'in')
    files = sorted(folder.glob('*.png'))
    for k, file in enumerate(files):
        scale = 1 + 0.02 * k  # 14 % in all, as macro lenses
        warp = np.array([[scale, 0, 80 * (1 - scale)], [0, scale, 64 * (1 - scale)]])
        image = np.asarray(cv2.imread(str(file)), np.uint8)
        grown = cv2.warpAffine(image, warp, (160, 128), borderMode=cv2.BORDER_REFLECT)
        cv2.imwrite(str(file), grown)
    said = {}
    for how in ('none', 'auto'):
        assert main(['depth', str(folder), '--align', how, '--out', str(tmp_path / how)]) == 0
        said[how] = capsys.readouterr().err
    assert 'alignment' not in said['none']
    # In the frame half way through the sweep: 1 / 1.06 and 1.14 / 1.06.
    assert 'alignment: slices of scale 0.943 to 1.075 of slice 3' in said['auto']
    errors = {}
    for how in said:
        left, right = halves(read_map(tmp_path / how / 'index.tiff'))
        errors[how] = np.abs(left - LEFT).mean() + np.abs(right - RIGHT).mean()
    assert errors['auto'] < 0.5 * errors['none']


def test_a_sweep_that_holds_still_is_not_resampled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(write_walls(tmp_path / 'in'))
    said = {}
    for how in ('none', 'auto', 'similarity'):
        assert main(['depth', folder, '--align', how, '--out', str(tmp_path / how)]) == 0
        said[how] = capsys.readouterr().err
    assert 'alignment' not in said['none'] + said['auto']
    assert 'alignment: none needed, or none found' in said['similarity']
    for name in ('index.tiff', 'confidence.tiff'):
        assert len({(tmp_path / how / name).read_bytes() for how in said}) == 1


def test_known_distortion_is_corrected_in_depth_but_not_in_index(tmp_path: Path) -> None:
    plain, bent = tmp_path / 'plain', tmp_path / 'bent'
    folder = write_walls(tmp_path / 'in', FOCUS + K)
    assert main(['depth', str(folder), '--out', str(plain)]) == 0
    (folder / 'stack.yaml').write_text(FOCUS + K + D)
    assert main(['depth', str(folder), '--out', str(bent)]) == 0
    for name in ('index.tiff', 'confidence.tiff'):
        assert (plain / name).read_bytes() == (bent / name).read_bytes()
    camera = Intrinsics(160, 128, 200, 200, 79.5, 63.5, (-0.3, 0.05, 0, 0))
    rectifier = Rectifier(camera)
    before, after = read_map(plain / 'depth.tiff'), read_map(bent / 'depth.tiff')
    np.testing.assert_array_equal(after, rectifier.map(before, np.nan))
    np.testing.assert_array_equal(
        read_image(bent / 'all_in_focus.png'),
        rectifier.image(read_image(plain / 'all_in_focus.png')),
    )
    assert len(read_ply(bent / 'cloud.ply')) == np.isfinite(after).sum()
    assert not np.array_equal(before, after, equal_nan=True)


def test_camera_info_overrides_stack_yaml(tmp_path: Path) -> None:
    out, info = tmp_path / 'out', tmp_path / 'camera.yaml'
    write_camera_info(info, Intrinsics(160, 128, 400, 400, 79.5, 63.5))
    folder = write_walls(tmp_path / 'in', FOCUS + K)
    assert main(['depth', str(folder), '--out', str(out), '--camera-info', str(info)]) == 0
    depth_m = read_map(out / 'depth.tiff')
    x = ((np.arange(SIZE[0]) - 79.5) / 400 * depth_m)[np.isfinite(depth_m)]
    np.testing.assert_allclose(read_ply(out / 'cloud.ply')['xyz'][:, 0], x, rtol=1e-5)


@pytest.mark.parametrize('grey', [False, True])
def test_16_bit_images_stay_16_bit(tmp_path: Path, grey: bool) -> None:
    out = tmp_path / 'out'
    folder = write_walls(tmp_path / 'in', FOCUS + K, np.uint16, grey)
    assert main(['depth', str(folder), '--out', str(out)]) == 0
    sharp = read_image(out / 'all_in_focus.png')
    assert sharp.dtype == np.uint16
    assert sharp.shape == (*SIZE[::-1], 3)[: 2 if grey else 3]
    white = max(int(read_image(path).max()) for path in folder.glob('*.png'))
    finite = np.isfinite(read_map(out / 'depth.tiff'))
    colour = sharp[finite] * (255 / white)
    points = read_ply(out / 'cloud.ply')
    assert np.abs(points['rgb'] - (colour[:, None] if grey else colour)).max() <= 0.51


def test_the_same_sweep_backwards_gives_the_same_depth(tmp_path: Path) -> None:
    folder, backwards = write_walls(tmp_path / 'in', FOCUS + K), tmp_path / 'backwards'
    backwards.mkdir()
    for i in range(COUNT):
        data = (folder / f'slice_{i}.png').read_bytes()
        (backwards / f'slice_{COUNT - 1 - i}.png').write_bytes(data)
    (backwards / 'stack.yaml').write_text(f'focus_dpt: {FOCUS_DPT[::-1]}\n')
    maps = []
    for source in (folder, backwards):
        assert main(['depth', str(source), '--out', str(source / 'out')]) == 0
        maps.append(read_map(source / 'out' / 'depth.tiff'))
    both = np.isfinite(maps[0]) & np.isfinite(maps[1])
    assert both[INNER].mean() > 0.8
    assert np.abs(maps[0] - maps[1])[both].mean() < 1e-3


@pytest.mark.parametrize('backend', ['auto', 'peak'])
def test_a_lens_that_stands_still_gives_no_depth_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    folder = write_walls(tmp_path / 'in', FOCUS + K)
    still = read_image(folder / 'slice_3.png').astype(float)
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        noisy = np.clip(still + rng.normal(0, 2, still.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f'slice_{i}.png'), noisy[..., ::-1])
    out = tmp_path / 'out'
    assert main(['depth', str(folder), '--out', str(out), '--backend', backend]) == 0
    assert np.isnan(read_map(out / 'depth.tiff')).mean() > 0.99
    words = 'focus: sharpness does not change along the sweep: does the lens move'
    assert words in capsys.readouterr().err


def test_what_is_sure_is_what_is_published_by_default() -> None:
    assert DepthConfig().min_confidence == SURE


def test_three_slices_say_why_nothing_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_walls(tmp_path / 'in')
    for i in set(range(COUNT)) - {0, COUNT // 2, COUNT - 1}:
        (folder / f'slice_{i}.png').unlink()
    out = tmp_path / 'out'
    assert main(['depth', str(folder), '--out', str(out), '--backend', 'peak']) == 0
    assert read_map(out / 'confidence.tiff').max() < 0.5
    assert 'focus: hardly any pixel reaches a confidence of 0.5' in capsys.readouterr().err


def test_a_sweep_that_shows_depth_does_not_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_walls(tmp_path / 'in')
    assert main(['depth', str(folder), '--out', str(tmp_path / 'out')]) == 0
    assert 'focus: ' not in capsys.readouterr().err


def test_an_earlier_run_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    folder = write_walls(tmp_path / 'in', FOCUS + K)
    assert main(['depth', str(folder), '--out', str(out)]) == 0
    (out / 'notes.txt').write_text('mine')
    (out / 'index.tiff').write_bytes(b'old')
    (folder / 'stack.yaml').unlink()
    assert main(['depth', str(folder), '--out', str(out)]) == 0
    assert names(out) == ALWAYS | {'notes.txt'}
    assert np.isfinite(read_map(out / 'index.tiff')).all()


def test_a_real_sweep_finds_the_dome(tmp_path: Path) -> None:
    assert main(['depth', str(DOME), '--out', str(tmp_path)]) == 0
    index = read_map(tmp_path / 'index.tiff')
    # The dome rises from its rim to its top, about (80, 108).
    y, x = np.mgrid[: index.shape[0], : index.shape[1]]
    radius = np.hypot(y - 78, x - 107)
    rings = [np.median(index[(radius >= r) & (radius < r + 12)]) for r in (0, 15, 30, 45)]
    assert rings == sorted(rings, reverse=True)
    assert rings[0] > 7.5
    assert rings[3] < 5
