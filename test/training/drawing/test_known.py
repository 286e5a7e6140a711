"""Where a position is unknowable: no texture of its own, or motion."""

from __future__ import annotations

import numpy as np
import pytest

from sff_ros.core.image import FloatMap, Mask
from sff_ros.training.drawing.known import REACH_PX, has_texture, keeps_still

SIZE = 96
NOWHERE = np.zeros((SIZE, SIZE), np.bool_)


def wall(grey: float = 120.0) -> FloatMap:
    return np.full((SIZE, SIZE, 3), grey, np.float32)


def textured(contrast: float = 40.0) -> FloatMap:
    noise = np.random.default_rng(0).random((SIZE, SIZE, 1)).astype(np.float32)
    return wall() + np.float32(contrast) * noise


def flat(place: float) -> FloatMap:
    return np.full((SIZE, SIZE), place, np.float32)


@pytest.mark.parametrize(
    ('sharp', 'noise', 'known'),
    [
        (textured(), 1.0, 1),
        (textured(2.0), 1.0, 1),
        (textured(2.0), 25.0, 0),  # lost in the noise
        (textured(0.1), 0.2, 0),  # lost by rounding
        (wall(0), 0.2, 0),
        (wall(255), 0.2, 0),
    ],
)
def test_a_surface_is_known_by_its_texture(sharp: FloatMap, noise: float, known: int) -> None:
    assert has_texture(sharp, flat(5), flat(0), NOWHERE, noise).mean() == known


def test_texture_tells_the_plain_part_of_a_surface_as_far_as_it_reaches() -> None:
    sharp = wall()
    sharp[:, :20] = textured()[:, :20]
    row = has_texture(sharp, flat(5), flat(0), NOWHERE, 1.0)[48]
    assert row[: 20 + REACH_PX - 2].all()
    assert not row[20 + REACH_PX + 6 :].any()


def test_an_outline_tells_the_near_surface_only() -> None:
    sharp, place = wall(), flat(3)
    sharp[40:56, 40:56], place[40:56, 40:56] = 200, 9
    known = has_texture(sharp, place, place, NOWHERE, 1.0)
    assert known[40:56, 40:56].all()
    assert known.sum() == 16 * 16
    sharp[39, 40:56] = sharp[56, 40:56] = 160  # a soft outline
    assert not has_texture(sharp, place, place, NOWHERE, 1.0)[place == 3].any()
    place[40:56, 40:56] = 3  # a print on the wall
    assert has_texture(sharp, place, place, NOWHERE, 1.0).sum() > 30**2


def test_an_object_laid_over_a_nearer_surface_owns_its_outline() -> None:
    sharp, place, front = wall(), flat(9), flat(0)
    sharp[40:42], place[40:42], front[40:42] = 200, 3, 1  # a wire
    known = has_texture(sharp, place, front, NOWHERE, 1.0)
    assert known[40:42].all()
    assert known.sum() == 2 * SIZE


@pytest.mark.parametrize('slope', [0.1, 0.4, 1.0])
def test_a_steep_slope_is_no_depth_edge(slope: float) -> None:
    place = np.tile(slope * np.arange(SIZE, dtype=np.float32), (SIZE, 1))
    inside = np.s_[:, 2:-2]  # the slope is not seen on both sides of the border
    assert has_texture(textured(), place, place, NOWHERE, 1.0)[inside].all()


def test_a_lamp_does_not_tell_about_the_dark_around_it() -> None:
    sharp, glows = wall(0), NOWHERE.copy()
    sharp[48:50, 48:50], glows[48:50, 48:50] = 255, True
    known = has_texture(sharp, flat(5), flat(0), glows, 0.2)
    assert known[48:50, 48:50].all()
    assert known.sum() < 30


def test_a_reflection_hides_fainter_texture() -> None:
    for own, known in ((4.0, 0), (60.0, 1)):
        mirrored = textured(20.0) - wall()
        assert has_texture(textured(own), flat(5), flat(0), NOWHERE, 1.0, mirrored).mean() == known


PLACES = np.linspace(0, 14, 15)


def moving(seen: FloatMap) -> Mask:
    return keeps_still(seen, PLACES, seen[7])


def step(edge: int) -> FloatMap:
    """Return a near surface right of a column, in front of a far one."""
    place = flat(2)
    place[:, edge:] = 11
    return place


def test_what_is_at_rest_is_known() -> None:
    ramp = np.tile(np.linspace(-2, 16, SIZE, dtype=np.float32), (SIZE, 1))
    assert moving(np.stack([ramp] * 15)).all()


def test_a_jump_leaves_what_is_in_focus_on_the_side_of_mid_sweep() -> None:
    # At slice 9 the edge jumps from column 50 to 30: the near surface is in focus at 11.
    seen = np.stack([step(50 if k < 9 else 30) for k in range(15)])
    known = moving(seen)
    assert known[:, :30].all()  # far before and after
    assert not known[:, 30:50].any()  # far in focus at 2, then near in focus at 11
    assert known[:, 50:].all()


def test_a_surface_never_seen_in_focus_is_unknown() -> None:
    # Far surface at 2, covered in the first slices and seen in mid-sweep.
    seen = np.stack([step(30 if k < 5 else 50) for k in range(15)])
    assert not moving(seen)[:, 30:50].any()


def test_steady_motion_leaves_a_plane_known_and_its_borders_not() -> None:
    seen = np.stack([np.roll(step(50), 3 * (k - 7), axis=1) for k in range(15)])
    known = moving(seen)[:, 30:70]
    assert 0.2 < known.mean() < 0.9
    nowhere = np.stack([np.full((SIZE, SIZE), np.nan, np.float32)] * 15)
    nowhere[7] = 0  # in focus at 0, where nothing is seen
    assert not moving(nowhere).any()
