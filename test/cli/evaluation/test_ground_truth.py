from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sff_ros.cli.evaluation.ground_truth import ground_truth_path, read_ground_truth
from sff_ros.core.focus.estimate import to_dioptres
from sff_ros.errors import StackError
from sff_ros.files.export import write_tiff

FOCUS = np.array([4.0, 3.0, 2.5, 1.0])  # near to far, unevenly
UNKNOWN = np.full(4, np.nan)
INDEX = np.array([[0.0, 0.5, 1.5], [2.0, 3.0, np.nan]], np.float32)
DIOPTRES = np.array([[4.0, 3.5, 2.75], [2.5, 1.0, np.nan]], np.float32)


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('index.npy', INDEX),
        ('dioptres.npy', DIOPTRES),
        ('dioptres.tiff', DIOPTRES),
        ('depth.npy', 1 / DIOPTRES),
        ('depth.tif', 1 / DIOPTRES),
    ],
)
def test_every_kind_gives_the_same_values(
    tmp_path: Path, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    (tmp_path / 'truth').mkdir()
    path = tmp_path / 'truth' / name
    np.save(path, values) if path.suffix == '.npy' else write_tiff(path, values)
    assert ground_truth_path(tmp_path) == path
    ground_truth = read_ground_truth(path, (2, 3), FOCUS)
    np.testing.assert_allclose(ground_truth.index, INDEX, atol=1e-5)
    assert ground_truth.depth_m is not None
    np.testing.assert_allclose(ground_truth.depth_m, 1 / DIOPTRES, rtol=1e-6)
    inside = (INDEX > 0) & (INDEX < 3)
    np.testing.assert_allclose(to_dioptres(ground_truth.index, FOCUS)[inside], DIOPTRES[inside])


def test_index_comes_first_and_needs_no_focus(tmp_path: Path) -> None:
    (tmp_path / 'truth').mkdir()
    for name in ('depth.npy', 'index.tiff', 'index.npy'):
        (tmp_path / 'truth' / name).touch()
    np.save(tmp_path / 'truth' / 'index.npy', INDEX)
    ground_truth = read_ground_truth(ground_truth_path(tmp_path), (2, 3), UNKNOWN)
    np.testing.assert_array_equal(ground_truth.index, INDEX)
    assert ground_truth.depth_m is None


def test_outside_the_sweep_and_invalid_is_unknown(tmp_path: Path) -> None:
    (tmp_path / 'truth').mkdir()
    path = tmp_path / 'truth' / 'depth.npy'
    np.save(path, [[0.2, 0.5, 1.5], [0.0, -1.0, np.inf]])
    ground_truth = read_ground_truth(path, (2, 3), FOCUS)
    assert ground_truth.depth_m is not None
    np.testing.assert_allclose(
        ground_truth.index, [[np.nan, 2 + 1 / 3, np.nan], [np.nan] * 3], rtol=1e-6
    )
    np.testing.assert_allclose(ground_truth.depth_m, [[0.2, 0.5, 1.5], [np.nan] * 3], rtol=1e-6)


@pytest.mark.parametrize(
    ('name', 'values', 'focus', 'message'),
    [
        ('index.npy', np.ones((3, 3)), FOCUS, r'index\.npy: is 3x3, the slices are 3x2'),
        ('index.npy', np.ones((2, 3, 1)), FOCUS, r'a map must be \(H, W\), not \(2, 3, 1\)'),
        ('index.npy', np.array(['a']), FOCUS, 'is cut off, damaged or holds no numbers'),
        ('index.npy', np.full((2, 3), np.nan), FOCUS, 'no pixel is known within the sweep'),
        ('index.npy', np.full((2, 3), 3.5), FOCUS, 'position 3.5 is outside 0..3'),
        ('depth.npy', np.full((2, 3), 9.0), FOCUS, 'no pixel is known within the sweep'),
        ('depth.npy', np.ones((2, 3)), UNKNOWN, r'depth\.npy: needs focus distances, which'),
        ('dioptres.npy', np.ones((2, 3)), UNKNOWN, 'needs focus distances, which'),
    ],
)
def test_wrong_ground_truth_is_named(
    tmp_path: Path,
    name: str,
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    focus: np.ndarray[tuple[int], np.dtype[np.float64]],
    message: str,
) -> None:
    (tmp_path / 'truth').mkdir()
    np.save(tmp_path / 'truth' / name, values)
    with pytest.raises(StackError, match=message):
        read_ground_truth(tmp_path / 'truth' / name, (2, 3), focus)


def test_no_ground_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r'has no ground truth; expected truth/index\.npy'):
        ground_truth_path(tmp_path)
