"""The public API, README's five lines and every program of examples/."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stack_files import DOME, run_python
from walls import FOCUS, LEFT, LEFT_M, RIGHT, RIGHT_M, SIZE, D, K, write_walls

import sff_ros
from sff_ros.core.depth.rectify import Rectifier
from sff_ros.files.image import read_image

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ('cv2', 'numpy', 'onnxruntime', 'rclpy', 'torch', 'yaml')
MIDDLE = SIZE[0] // 2
HALVES = ((16, slice(16, MIDDLE - 16)), (16, slice(MIDDLE + 16, -16)))


def medians(values: Any) -> list[float]:
    """Return the median of what lies well inside the left and the right wall."""
    return [float(np.nanmedian(values[edge:-edge, columns])) for edge, columns in HALVES]


def test_import_is_cheap() -> None:
    done = run_python(
        '-c', f'import sff_ros, sys; print([m for m in {HEAVY} if m in sys.modules])'
    )
    assert (done.returncode, done.stdout) == (0, '[]\n')


def test_the_api_needs_no_ros_and_no_torch() -> None:
    names = "('rclpy', 'sensor_msgs', 'torch')"
    code = f'from sff_ros import *; import sys; print([m for m in {names} if m in sys.modules])'
    done = run_python('-W', 'error', '-c', code)
    assert (done.returncode, done.stdout) == (0, '[]\n'), done.stderr


def test_every_public_name_is_found_where_it_is_said_to_be() -> None:
    homes = {name: module for module, names in sff_ros._HOMES.items() for name in names}
    assert sorted(sff_ros.__all__) == sorted([*homes, '__version__'])
    assert list(sff_ros.__all__) == sorted(sff_ros.__all__)
    assert set(sff_ros.__all__) <= set(dir(sff_ros))
    for name, module in homes.items():
        found = getattr(sff_ros, name)
        assert found is getattr(importlib.import_module(module), name)
        assert found.__module__ == module, f'{name} is only passed on by {module}'


def test_type_checkers_see_the_same_names() -> None:
    text = (REPOSITORY / 'sff_ros' / '__init__.py').read_text()
    block = re.search(r'^if TYPE_CHECKING:.*\n((?:    .*\n)+)', text, re.MULTILINE)
    assert block
    seen: dict[str, Any] = {}
    exec(re.sub('^    ', '', block[1], flags=re.MULTILINE), seen)
    del seen['__builtins__']
    assert {*seen, '__version__'} == set(sff_ros.__all__)
    assert all(value is getattr(sff_ros, name) for name, value in seen.items())


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="'sff_ros' has no attribute 'read_stak'"):
        _ = sff_ros.read_stak


def readme_example(folder: Path) -> dict[str, Any]:
    """Run the Python block of README on another folder; return its variables."""
    blocks = re.findall(
        r'^```python\n(.*?)^```', (REPOSITORY / 'README.md').read_text(), re.S | re.M
    )
    assert len(blocks) == 1
    assert len([line for line in blocks[0].splitlines() if line]) == 5
    assert "'test/data/dome'" in blocks[0]
    variables: dict[str, Any] = {}
    exec(blocks[0].replace("'test/data/dome'", repr(str(folder))), variables)
    return variables


def test_readme_example_finds_the_depth_of_two_walls(tmp_path: Path) -> None:
    depth = readme_example(write_walls(tmp_path / 'walls', FOCUS + K))['depth']
    assert medians(depth.position) == pytest.approx([LEFT, RIGHT], abs=0.3)
    assert medians(depth.depth_m) == pytest.approx([LEFT_M, RIGHT_M], rel=0.05)


def test_readme_example_runs_on_the_dome() -> None:
    found = readme_example(DOME)
    depth, image = found['depth'], found['stack'].image(0)
    assert depth.depth_m is None
    assert depth.position.shape == depth.confidence.shape == image.shape[:2]
    assert (depth.all_in_focus.shape, depth.all_in_focus.dtype) == (image.shape, image.dtype)
    assert np.isfinite(depth.position).all()
    # The top of the dome is sharp in other slices than the ground about it.
    height, width = image.shape[:2]
    top = depth.position[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5]
    assert abs(np.median(top) - np.median(depth.position[: height // 10])) > 2


def test_what_is_not_sure_has_no_depth(tmp_path: Path) -> None:
    stack = sff_ros.read_stack(write_walls(tmp_path / 'walls', FOCUS + K))
    backend = sff_ros.open_backend('peak')
    for limit in (0, 0.7, 1):  # an integer will do
        depth = sff_ros.stack_to_depth(stack, backend, min_confidence=limit)
        assert depth.depth_m is not None
        np.testing.assert_array_equal(np.isnan(depth.depth_m), depth.confidence < limit)
    with pytest.raises(sff_ros.ConfigError, match=r'min_confidence.*1\.5'):
        sff_ros.stack_to_depth(stack, backend, min_confidence=1.5)


def test_an_alignment_that_the_stack_cannot_have_is_refused(tmp_path: Path) -> None:
    stack = sff_ros.read_stack(write_walls(tmp_path / 'walls', FOCUS + K))
    backend = sff_ros.open_backend('peak')
    with pytest.raises(sff_ros.ConfigError, match='the breathing of the images is unknown'):
        sff_ros.stack_to_depth(stack, backend, align='breathing')
    with pytest.raises(sff_ros.ConfigError, match="align is 'best'; allowed: auto, none"):
        sff_ros.stack_to_depth(stack, backend, align='best')  # type: ignore[arg-type]


def test_depth_and_sharp_image_are_rectified(tmp_path: Path) -> None:
    backend = sff_ros.open_backend('peak')
    plain, bent = (
        sff_ros.stack_to_depth(
            sff_ros.read_stack(write_walls(tmp_path / name, FOCUS + K + more)), backend
        )
        for name, more in (('plain', ''), ('bent', D))
    )
    rectifier = Rectifier(sff_ros.read_stack(tmp_path / 'bent').intrinsics)
    assert plain.depth_m is not None
    assert bent.depth_m is not None
    np.testing.assert_array_equal(plain.position, bent.position)
    np.testing.assert_array_equal(bent.depth_m, rectifier.map(plain.depth_m, np.nan))
    assert not np.array_equal(bent.all_in_focus, plain.all_in_focus)


def test_every_example_is_run_here() -> None:
    assert {path.name for path in (REPOSITORY / 'examples').iterdir()} == {'stack_to_depth.py'}


EXAMPLE = str(REPOSITORY / 'examples' / 'stack_to_depth.py')


def test_stack_to_depth_writes_images_of_the_dome(tmp_path: Path) -> None:
    out = tmp_path / 'new' / 'out'
    done = run_python('-W', 'error', EXAMPLE, str(DOME), '--out', str(out))
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == f'{out}: confidence.png, position.png\n'
    position = read_image(out / 'position.png')
    assert position.dtype == np.uint8
    assert position.shape == sff_ros.read_stack(DOME).image(0).shape[:2]
    assert int(position.max()) - int(position.min()) > 150


def test_stack_to_depth_writes_millimetres_where_focus_is_known(tmp_path: Path) -> None:
    folder, out = write_walls(tmp_path / 'walls', FOCUS + K), tmp_path / 'out'
    done = run_python('-W', 'error', EXAMPLE, str(folder), '--out', str(out))
    assert (done.returncode, done.stderr) == (0, '')
    depth_mm = read_image(out / 'depth.png')
    assert depth_mm.dtype == np.uint16
    assert medians(depth_mm) == pytest.approx([1000 * LEFT_M, 1000 * RIGHT_M], rel=0.05)
    confidence = read_image(out / 'confidence.png')
    assert min(medians(confidence)) > 127


def test_stack_to_depth_refuses_a_folder_in_one_line(tmp_path: Path) -> None:
    done = run_python(EXAMPLE, str(tmp_path), '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert done.stderr == (
        f'stack_to_depth.py: {tmp_path}: has 0 images, a stack needs 3 or more\n'
    )
    assert not (tmp_path / 'out').exists()
