"""Slices, sweep time and depth error of a lens."""

from __future__ import annotations

import re

import pytest

from sff_ros.cli.main import main
from sff_ros.cli.plan import sweep_times
from sff_ros.core.optics.thin_lens import ThinLens

GIVEN = {
    '--focal-mm': '25', '--fnumber': '1.4', '--pitch-um': '5', '--near': '0.4', '--far': '0.6',
}  # fmt: skip


def words(**changes: str) -> list[str]:
    given = GIVEN | {f'--{name}': value for name, value in changes.items()}
    return ['plan', *(word for pair in given.items() for word in pair)]


def test_the_plan_of_a_lens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words()) == 0
    said = capsys.readouterr().out
    # Aperture 17.857 mm, image distance 26.667 mm at 0.4 m: 95.2 px a dioptre, over 0.8333 dpt.
    assert 'a dioptre is 95.2 px of blur' in said
    assert 'slices: 81, 0.010 dpt apart, 1.0 px of blur' in said
    assert 'sweep: 5.40 s in steps, 2.70 s in continuous motion' in said
    rows = re.findall(r'^ +([\d.]+) m +([\d.]+) mm +([\d.]+) mm \(([\d.]+) %\)', said, re.M)
    assert [row[0] for row in rows] == ['0.400', '0.436', '0.480', '0.533', '0.600']
    # 0.16 m^2 / 95.2 px = 1.68 mm a pixel of blur, 0.03 of it on a plane.
    assert [float(value) for value in rows[0][1:]] == [1.7, 0.05, 0.01]


@pytest.mark.parametrize('distance_m', [0.3, 0.5, 1.0])
def test_one_pixel_of_blur_is_one_pixel_of_blur(distance_m: float) -> None:
    lens = ThinLens(0.025, 1.4, 5e-6)
    error_m = lens.error_m(distance_m, 0.1)
    blur_px = lens.blur_diameter_px(1 / (distance_m + error_m), 1 / distance_m)
    assert blur_px == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ('rate', 'settle_s', 'exposure_s', 'frames'),
    [
        (30.0, 0.0, None, 1),
        (30.0, 0.045, None, 2),
        (30.0, 0.051, None, 3),
        (60.0, 0.03, None, 3),
        (10.0, 0.05, None, 1),
        (30.0, 0.045, 0.0215, 2),
        (30.0, 0.045, 0.0218, 3),
    ],
)
def test_how_long_a_sweep_takes(
    rate: float, settle_s: float, exposure_s: float | None, frames: int
) -> None:
    step_s, continuous_s = sweep_times(15, rate, settle_s, exposure_s)
    assert step_s == pytest.approx(15 * frames / rate)
    assert continuous_s == pytest.approx(15 / rate)


def test_a_longer_exposure_takes_a_longer_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(exposure='0.03')) == 0
    assert 'sweep: 8.10 s in steps, 2.70 s in continuous motion' in capsys.readouterr().out


def test_infinity_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(far='inf', fnumber='16')) == 0
    said = capsys.readouterr().out
    assert 'slices: 22' in said
    assert 'nan' not in said


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'near': '0.6'}, '--near 0.6 m must be less than --far 0.6 m'),
        ({'near': '0.02'}, 'a lens of 25 mm cannot focus within its focal length'),
        ({'fnumber': '0'}, '--fnumber is 0; allowed: more than 0'),
        ({'pitch-um': 'nan'}, '--pitch-um is nan'),
        ({'settle': '-1'}, '--settle is -1'),
        ({'exposure': '0.04'}, '--exposure is 0.04; allowed: more than 0 s, up to the frame'),
        ({'exposure': '0'}, '--exposure is 0; allowed: more than 0 s'),
    ],
)
def test_impossible_lenses_are_refused(
    changes: dict[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(**changes)) == 1
    assert message in capsys.readouterr().err
