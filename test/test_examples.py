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
from sff_ros.files.image import read_picture

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
    found = readme_example(write_walls(tmp_path / 'walls', FOCUS + K))
    assert medians(found['focus_map'].estimate.position) == pytest.approx([LEFT, RIGHT], abs=0.3)
    assert medians(found['depth_m']) == pytest.approx([LEFT_M, RIGHT_M], rel=0.05)


def test_readme_example_runs_on_the_dome() -> None:
    found = readme_example(DOME)
    position = found['focus_map'].estimate.position
    assert found['depth_m'] is None
    assert position.shape == found['stack'].image(0).shape[:2]
    assert np.isfinite(position).all()
    # The top of the dome is sharp first, the ground about it last.
    height, width = position.shape
    top = np.median(position[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5])
    assert abs(top - np.median(position[: height // 10])) > 2


def test_depth_follows_confidence_and_is_rectified(tmp_path: Path) -> None:
    stack = sff_ros.read_stack(write_walls(tmp_path / 'walls', FOCUS + K + D))
    estimator = sff_ros.ShapeFromFocus(sff_ros.open_backend('peak'))
    focus_map = estimator.estimate(stack.focal_stack())
    everything = sff_ros.depth_in_metres(focus_map, stack.intrinsics, min_confidence=0)
    nothing = sff_ros.depth_in_metres(focus_map, stack.intrinsics, min_confidence=1)
    assert everything is not None
    assert nothing is not None
    assert np.isnan(everything).sum() == 0
    assert np.isnan(nothing).mean() > 0.9
    assert medians(everything) == pytest.approx([LEFT_M, RIGHT_M], rel=0.05)
    with pytest.raises(sff_ros.ConfigError, match='min_confidence'):
        sff_ros.depth_in_metres(focus_map, stack.intrinsics, min_confidence=1.5)


def test_every_example_is_run_here() -> None:
    assert {path.name for path in (REPOSITORY / 'examples').iterdir()} == {'stack_to_depth.py'}


EXAMPLE = str(REPOSITORY / 'examples' / 'stack_to_depth.py')


def test_stack_to_depth_writes_images_of_the_dome(tmp_path: Path) -> None:
    out = tmp_path / 'new' / 'out'
    done = run_python('-W', 'error', EXAMPLE, str(DOME), '--out', str(out))
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == f'{out}: confidence.png, position.png\n'
    position = read_picture(out / 'position.png')
    assert position.dtype == np.uint8
    assert position.shape == sff_ros.read_stack(DOME).image(0).shape[:2]
    assert int(position.max()) - int(position.min()) > 150


def test_stack_to_depth_writes_millimetres_where_focus_is_known(tmp_path: Path) -> None:
    folder, out = write_walls(tmp_path / 'walls', FOCUS + K), tmp_path / 'out'
    done = run_python('-W', 'error', EXAMPLE, str(folder), '--out', str(out))
    assert (done.returncode, done.stderr) == (0, '')
    depth_mm = read_picture(out / 'depth.png')
    assert depth_mm.dtype == np.uint16
    assert medians(depth_mm) == pytest.approx([1000 * LEFT_M, 1000 * RIGHT_M], rel=0.05)
    confidence = read_picture(out / 'confidence.png')
    assert min(medians(confidence)) > 127


def test_stack_to_depth_refuses_a_folder_in_one_line(tmp_path: Path) -> None:
    done = run_python(EXAMPLE, str(tmp_path), '--out', str(tmp_path / 'out'))
    assert done.returncode == 1
    assert done.stderr == (
        f'stack_to_depth.py: {tmp_path}: has 0 pictures, a stack needs 3 or more\n'
    )
    assert not (tmp_path / 'out').exists()
