import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from sff_ros.cameras.plan import plan_sweep
from sff_ros.cameras.reach import Codes, Dioptres, Reach, Recorded
from sff_ros.config.nodes import SweepConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import CalibrationStatus
from sff_ros.core.optics.thin_lens import ThinLens
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError, ConfigError


# Annotations are not postponed in this file, see test_architecture.
@dataclass
class Lens:
    """A camera of which only its reach matters."""

    reach: Reach
    optics: ThinLens | None = None
    calibration_status: CalibrationStatus = 'calibrated'
    ground_truth_m: None = None
    intrinsics: Intrinsics = Intrinsics(32, 32)

    def capture(self, focus: float, index: int = 0, count: int = 1, sweep: int = 0) -> Slice:
        raise CameraError('planning takes no images')

    def close(self) -> None: ...


CODES = Lens(Codes(12.0, 988.0))
# 8 mm f/4, 5 um: 3.3 px of blur a dioptre.
SHARP = Lens(Dioptres(0.5, 4.5), optics=ThinLens(0.008, 4.0, 5e-6))
VERY_SHARP = Lens(Dioptres(0.5, 10.0), optics=ThinLens(0.025, 1.4, 5e-6))
FREE = Lens(Dioptres(0.5, 4.5))
TO_INFINITY = Lens(Dioptres(0.0, 10.0))
MANY = tuple(1 + k / 100 for k in range(101))


@pytest.mark.parametrize(
    ('lens', 'settings', 'expected'),
    [
        (FREE, {}, (0.5, 1.5, 2.5, 3.5, 4.5)),
        (FREE, {'near_m': 0.25, 'far_m': 1.0}, (1.0, 1.75, 2.5, 3.25, 4.0)),
        (FREE, {'near_m': 0.4}, (0.5, 1.0, 1.5, 2.0, 2.5)),
        (FREE, {'far_m': 0.4}, (2.5, 3.0, 3.5, 4.0, 4.5)),
        (TO_INFINITY, {}, (0.0, 2.5, 5.0, 7.5, 10.0)),
        (FREE, {'positions_dpt': (1.0, 2.0, 4.0)}, (1.0, 2.0, 4.0)),
        (CODES, {}, (12.0, 256.0, 500.0, 744.0, 988.0)),
        (FREE, {'positions_dpt': (4.0, 2.0, 1.0)}, (1.0, 2.0, 4.0)),
    ],
)
@pytest.mark.parametrize('direction', ['up', 'down', 'triangle'])
def test_positions_in_dioptres(
    lens: Lens, settings: dict[str, Any], expected: tuple[float, ...], direction: str
) -> None:
    plan = plan_sweep(SweepConfig(num_slices=5, direction=direction, **settings), lens)
    assert plan.positions == pytest.approx(expected, abs=1e-9)
    assert plan.direction == direction


@pytest.mark.parametrize(
    ('in_dioptres', 'positions'),
    [
        (True, (4.0, 2.0, 1.0, 0.0)),
        (True, (0.0, 1.0, 4.0)),
        (False, (0.0, 1.0, 2.0, 3.0)),
        (True, MANY),
    ],
)
@pytest.mark.parametrize('direction', ['up', 'down', 'triangle'])
def test_recording_keeps_its_order_sweep_after_sweep(
    in_dioptres: bool, positions: tuple[float, ...], direction: str
) -> None:
    plan = plan_sweep(SweepConfig(direction=direction), Lens(Recorded(positions, in_dioptres)))
    assert [plan.order(sweep) for sweep in range(3)] == [positions] * 3


@pytest.mark.parametrize(
    'settings', [{'near_m': 0.5}, {'far_m': 1.0}, {'positions_dpt': (1.0, 2.0, 3.0)}]
)
def test_recording_has_no_other_positions(settings: dict[str, Any]) -> None:
    camera = Lens(Recorded((4.0, 2.0, 0.0), in_dioptres=True))
    with pytest.raises(ConfigError, match='do not apply to a recorded sweep'):
        plan_sweep(SweepConfig(**settings), camera)


@pytest.mark.parametrize(
    ('lens', 'settings', 'message'),
    [
        (
            FREE,
            {'near_m': 0.2},
            r'goes from 0.500 to 5.000 dpt, the lens reaches 0.500 .. 4.500 dpt '
            r'\(0.222 m to 2.000 m\)',
        ),
        (FREE, {'far_m': 4.0}, r'near_m, far_m or positions_dpt\) goes from 0.250 to 4.500 dpt'),
        (FREE, {'positions_dpt': (0.0, 1.0, 2.0)}, 'goes from 0.000 to 2.000 dpt'),
        (TO_INFINITY, {'near_m': 0.05}, r'0.000 .. 10.000 dpt \(0.100 m to infinity\)'),
        (FREE, {'near_m': 1.0, 'far_m': 0.5}, r'near_m \(1 m\) must be less than .*\(0.5 m\)'),
        (FREE, {'near_m': 1.0, 'far_m': 1.0}, r'near_m \(1 m\) must be less than .*\(1 m\)'),
        (FREE, {'near_m': 3.0}, r'near_m \(3 m\) must be less than sweep.far_m \(2 m\)'),
        (FREE, {'positions_dpt': (1.0, 3.0, 2.0)}, 'strictly monotonic'),
        (FREE, {'positions_dpt': (1.0, 2.0)}, 'a sweep has 3 .. 100 positions, not 2'),
        (FREE, {'positions_dpt': MANY}, 'a sweep has 3 .. 100 positions, not 101'),
        (CODES, {'near_m': 0.3}, r'need a calibrated lens: set lens\.file'),
        (CODES, {'num_slices': 0}, 'automatic.*needs a calibrated lens'),
        (FREE, {'num_slices': 0}, r'needs lens\.focal_mm, lens\.fnumber and lens\.pitch_um'),
        (VERY_SHARP, {'num_slices': 0}, 'would take 1[0-9]{3} slices, more than 100'),
    ],
)
def test_what_a_lens_cannot_do_is_refused(
    lens: Lens, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_sweep(SweepConfig(**settings), lens)


@pytest.mark.parametrize(
    ('settings', 'count'),
    [
        ({}, 15),  # 4 dpt of 3.32 px each at the near end
        ({'near_m': 0.5, 'far_m': 1.0}, 5),  # never fewer than five
        ({'near_m': 0.25}, 13),
    ],
)
def test_an_automatic_sweep_has_a_pixel_of_blur_from_slice_to_slice(
    settings: dict[str, Any], count: int
) -> None:
    plan = plan_sweep(SweepConfig(num_slices=0, **settings), SHARP)
    assert len(plan.positions) == count
    assert SHARP.optics is not None
    steps = list(itertools.pairwise(plan.positions))
    blur_px = [SHARP.optics.blur_diameter_px(far, near) for far, near in steps]
    assert max(blur_px) <= 1
    if count > 5:
        assert max(blur_px) * (count - 1) / (count - 2) > 1  # one slice less would not do


def test_positions_and_ends_exclude_each_other() -> None:
    config = SweepConfig(positions_dpt=(1.0, 2.0, 3.0), far_m=1.0)
    with pytest.raises(ConfigError, match=r'positions_dpt replaces sweep\.near_m and far_m'):
        plan_sweep(config, FREE)


def test_rounding_of_metres_never_leaves_the_reach() -> None:
    """1 / (1 / x) may exceed x by a last bit, which a camera would refuse."""
    for step in range(200):
        far, near = 0.3 + step * 0.01, 3.1 + step * 0.013
        config = SweepConfig(near_m=round(1 / near, 9), far_m=round(1 / far, 9))
        positions = plan_sweep(config, Lens(Dioptres(far, near))).positions
        assert far <= positions[0] <= far + 1e-6
        assert near - 1e-6 <= positions[-1] <= near
        assert len(set(positions)) == 15
