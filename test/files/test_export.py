from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sff_ros.files.atomic_folder import free_folder, staged_folder
from sff_ros.files.export import write_ply, write_tiff


def test_tiff_keeps_every_float(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(33, 47)).astype(np.float32)
    values[0, :4] = np.nan, np.inf, -np.inf, 1e-30
    write_tiff(tmp_path / 'a.tiff', values)
    found = cv2.imdecode(np.fromfile(tmp_path / 'a.tiff', np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, values)


def test_ply_holds_finite_points_in_image_order(tmp_path: Path) -> None:
    points = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    points[0, 1, 2] = np.nan
    points[1, 0, 0] = np.inf
    colour = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    write_ply(tmp_path / 'a.ply', points, colour)
    header = (
        b'ply\nformat binary_little_endian 1.0\ncomment metres, x right, y down, z forward\n'
        b'element vertex 4\nproperty float x\nproperty float y\nproperty float z\n'
        b'property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n'
    )
    kept = [(0, 0), (0, 2), (1, 1), (1, 2)]
    body = b''.join(points[at].astype('<f4').tobytes() + colour[at].tobytes() for at in kept)
    assert (tmp_path / 'a.ply').read_bytes() == header + body


def test_a_grey_image_colours_points_grey(tmp_path: Path) -> None:
    write_ply(tmp_path / 'a.ply', np.ones((1, 1, 3), np.float32), np.array([[7]], np.uint8))
    assert (tmp_path / 'a.ply').read_bytes()[-3:] == bytes([7, 7, 7])


def test_a_staged_folder_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / 'a' / 'b'
    with staged_folder(target) as stage:
        (stage / 'x').write_text('new')
        assert not target.parent.exists()
    assert (target / 'x').read_text() == 'new'
    assert target.stat().st_mode & 0o700 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ['a']


def make_after_another(target: Path) -> None:
    with staged_folder(target, new=True) as slower:
        (slower / 'x').write_text('slower')
        with staged_folder(target, new=True) as faster:
            (faster / 'x').write_text('faster')


def test_of_two_that_make_one_new_folder_one_succeeds(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        make_after_another(tmp_path / 'a')
    assert [path.name for path in tmp_path.iterdir()] == ['a']
    assert (tmp_path / 'a' / 'x').read_text() == 'faster'


def test_a_free_folder_is_numbered_where_its_name_is_taken(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        names.append(free_folder(tmp_path / 'a').name)
        (tmp_path / names[-1]).mkdir()
    assert names == ['a', 'a_2', 'a_3']


def fail_half_way(target: Path) -> None:
    with staged_folder(target) as stage:
        (stage / 'x').write_text('half')
        raise KeyboardInterrupt


def test_a_staged_folder_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    old = tmp_path / 'old'
    old.mkdir()
    (old / 'x').write_text('old')
    for target in (old, tmp_path / 'new'):
        with pytest.raises(KeyboardInterrupt):
            fail_half_way(target)
    assert [path.name for path in tmp_path.iterdir()] == ['old']
    assert (old / 'x').read_text() == 'old'
