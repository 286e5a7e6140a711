"""Files of path-traced scenes: small, whole, and what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from traced_scene import hand_made

from sff_ros.errors import ConfigError
from sff_ros.training.traced.files import read_traced, write_traced


def test_a_scene_is_read_as_it_was_written(tmp_path: Path) -> None:
    file, scene = tmp_path / 'scene_1_000000.npz', hand_made(0.01)
    scene.place[0, 0], scene.lamps[3, 5], scene.sweep[2, 4, 4] = np.nan, True, 40.0
    write_traced(file, scene)
    back = read_traced(file)
    for name in ('sweep', 'own', 'reflected'):
        old, new = getattr(scene, name), getattr(back, name)
        assert new.dtype == np.float32
        assert np.abs(new - old).max() <= 0.003 * old.max(), name
        assert (np.abs(new - old) <= 0.003 * old + 1e-6).all(), name
    np.testing.assert_array_equal(back.place, scene.place)
    np.testing.assert_array_equal(back.lamps, scene.lamps)
    assert back.leftover == pytest.approx(scene.leftover, rel=1e-3)
    assert back.blur_px == scene.blur_px
    assert file.stat().st_size < 0.5 * scene.sweep.size * 2  # of float16
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ('content', 'message'),
    [(b'', 'is not a path-traced scene'), (b'PK\x03\x04 cut short', 'is not a path-traced scene')],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / 'scene_1_000000.npz'
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_traced(file)


def test_another_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / 'scene_1_000000.npz'
    np.savez(file, format=99)
    with pytest.raises(ConfigError, match='has format 99, not 1'):
        read_traced(file)
