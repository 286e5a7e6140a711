"""What moves is found; what only changes its blur, or its brightness, is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from breathing_sweep import camera, shifted, sweep, with_mover
from stack_files import DOME

from sff_ros.cli.evaluation.drawn_scene import LAST, Frame, exposed, take
from sff_ros.cli.evaluation.drawn_surfaces import disc, surface, texture
from sff_ros.core.alignment.motion import Motion, MotionMeter
from sff_ros.core.alignment.warp import warped
from sff_ros.core.image import Image
from sff_ros.files.stack import read_stack

BOX = (230, 170, 180, 140)  # left, top, width, height of what moves
VGA = (640, 480)


def watch(images: Sequence[Image]) -> Motion:
    meter = MotionMeter()
    for image in images:
        meter.add(image)
    return meter.motion


def still(width: int = 640, height: int = 480) -> list[Image]:
    return [slice_.image for slice_ in sweep(camera(0.0, width, height))]


@pytest.mark.parametrize('size', [VGA, (320, 240)])
@pytest.mark.parametrize('step', [1, -1, 2])
def test_a_sweep_that_holds_still_keeps_its_confidence(size: tuple[int, int], step: int) -> None:
    motion = watch(still(*size)[::step])
    assert motion.trust.shape == size[::-1]
    assert (motion.trust < 1).mean() < 0.02
    assert motion.moving < 0.002
    assert motion.camera_px < 0.2


def test_flicker_is_not_motion() -> None:
    gains = np.random.default_rng(0).uniform(0.7, 1, 15)
    images = [(p * gain).astype(np.uint8) for p, gain in zip(still(), gains, strict=True)]
    assert watch(images).moving < 0.002


def test_aligned_breathing_is_not_motion() -> None:
    slices = sweep(camera(0.05, *VGA))
    motion = watch([warped(s.image, s.lens.warp) for s in slices if s.lens.warp is not None])
    assert motion.moving < 0.002
    assert motion.camera_px < 0.3


def test_unaligned_breathing_moves_the_corners() -> None:
    slices = sweep(camera(0.05, *VGA))
    scales = [s.lens.warp[0, 0] for s in slices if s.lens.warp is not None]
    corner_px = np.hypot(320, 240) * (scales[-1] / scales[0] - 1)
    motion = watch([slice_.image for slice_ in slices])
    assert motion.camera_px == pytest.approx(corner_px, rel=0.2)
    assert motion.moving > 0.7
    assert motion.trust[230:250, 310:330].min() > 0.9


def test_the_shipped_photographs_hold_still() -> None:
    assert watch([s.image for s in read_stack(DOME).focal_stack().slices]).moving < 0.02


@pytest.mark.parametrize('name', ['relief_1', 'relief_3', 'relief_5', 'dome'])
def test_real_and_rendered_sweeps_hold_still(shared_stacks: Path, name: str) -> None:
    stack = read_stack(shared_stacks / name).focal_stack()
    assert watch([slice_.image for slice_ in stack.slices]).moving < 0.02


@pytest.mark.parametrize(
    ('speed', 'lost'), [(0.3, 0.7), (0.5, 0.9), (1.0, 0.95), (2.0, 0.95), (-1.0, 0.95)]
)
@pytest.mark.parametrize('blur', [1.5, 2.5])
def test_a_moving_object_loses_its_confidence(speed: float, lost: float, blur: float) -> None:
    slices = sweep(camera(0.0, *VGA))
    motion = watch(with_mover(slices, speed, BOX, blur))
    left, top, wide, high = BOX
    inside = np.zeros(motion.trust.shape, bool)
    inside[top : top + high, left : left + wide] = True
    # The path of its edges, and a window around.
    path = round(7 * abs(speed)) + 24
    around = np.zeros_like(inside)
    around[top - 24 : top + high + 24, left - path : left + wide + path] = True
    assert (motion.trust[inside] < 0.5).mean() >= lost
    assert (motion.trust[~around] < 0.5).mean() <= 0.02
    assert motion.moving == pytest.approx((motion.trust < 0.5).mean())
    assert motion.camera_px < 0.5


def rendered(count: int, blur_px: float, noise: float = 2.0) -> list[Image]:
    """Return a still sweep of 320x240: a textured plane and, nearer, textured squares."""
    rng = np.random.default_rng(4)
    texture = [rng.standard_normal((240, 320)).astype(np.float32) for _ in range(2)]
    far, near = (
        110 + 45 * image / image.std()
        for image in (cv2.GaussianBlur(one, (0, 0), 1.2) for one in texture)
    )
    cover = np.zeros((240, 320), np.float32)
    for left, top in ((20, 30), (200, 20), (60, 150), (190, 140)):
        cover[top : top + 60, left : left + 70] = 1
    images: list[Image] = []
    for k in range(count):
        behind = cv2.GaussianBlur(far, (0, 0), 0.4 + blur_px * abs(k - 0.3 * count))
        sigma = 0.4 + blur_px * abs(k - 0.7 * count)
        share = cv2.GaussianBlur(cover, (0, 0), sigma)
        image = behind * (1 - share) + cv2.GaussianBlur(near * cover, (0, 0), sigma)
        image = image + noise * rng.standard_normal(image.shape)
        images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return images


@pytest.mark.parametrize(
    ('count', 'blur_px', 'noise'), [(15, 0.3, 2), (5, 1.2, 2), (3, 2.0, 2), (15, 0.3, 20)]
)
def test_depth_steps_coarse_sweeps_and_noise_are_not_motion(
    count: int, blur_px: float, noise: float
) -> None:
    assert (watch(rendered(count, blur_px, noise)).trust < 0.5).mean() < 0.005


def strongly_blurred(count: int, blur_px: float, seed: int) -> Sequence[Image]:
    """Return a still sweep of two textured discs before a textured plane, with a tone curve."""
    rng, view = np.random.default_rng(seed), Frame(320, 240, seed).view(margin=48)
    layers = [surface(texture(rng, view.canvas), 1.0)]
    for place, x in ((6.0, 96), (12.0, 218)):
        light = texture(rng, view.canvas, brightness=float(rng.uniform(0.25, 0.75)))
        layers.append(surface(light, place, disc(view, x, 120, 67)))
    focus = np.linspace(0, LAST, count)
    return exposed(rng, take(layers, view, focus, blur_px=blur_px * (count - 1) / LAST))


@pytest.mark.parametrize(('count', 'blur_px'), [(15, 3.0), (8, 4.0)])
def test_strong_blur_at_depth_steps_is_not_motion(count: int, blur_px: float) -> None:
    """Outlines seem to move as their blur grows, and light spreads over what is behind."""
    moving = [watch(strongly_blurred(count, blur_px, seed)).moving for seed in range(6)]
    assert np.mean(moving) < 0.02
    assert max(moving) < 0.03


def test_noise_beside_black_is_not_motion() -> None:
    images = rendered(8, 0.4, 15)
    for image in images:
        image[:, :200] = 0
    assert (watch(images).trust < 0.5).mean() < 0.005


def test_black_outside_a_round_field_is_not_motion() -> None:
    images = rendered(8, 0.4)
    height, width = images[0].shape[:2]
    y, x = np.mgrid[:height, :width]
    outside = np.hypot(y - height / 2, x - width / 2) > height / 2
    for image in images:
        image[outside] = 0
    with np.errstate(invalid='raise'):  # sums over black may be a little less than 0
        trust = watch(images).trust
    assert trust[outside].min() == 1
    assert (trust < 0.5).mean() < 0.005


def test_highlights_that_spread_are_not_motion() -> None:
    rng = np.random.default_rng(1)
    still_images = rendered(9, 0.3)
    spots = np.stack([rng.integers(10, 230, 20), rng.integers(10, 310, 20)])
    images: list[Image] = []
    for k, image in enumerate(still_images):
        lights = np.zeros(image.shape, np.float32)
        for y, x in spots.T.tolist():  # clipped discs, as bright at the rim as in the middle
            cv2.circle(lights, (x, y), 1 + abs(k - 4), 255.0, -1)
        images.append(np.maximum(image, lights.astype(np.uint8)))
    assert (watch(images).trust < 0.5).mean() < 0.02


@pytest.mark.parametrize(('blur_px', 'moves'), [(0.75, False), (0.05, True)])
def test_a_zoom_is_motion_unless_it_is_that_of_cat_eye_apertures(
    blur_px: float, moves: bool
) -> None:
    """What is cut off the aperture moves a blurred point by less than half the radius of its blur.

    A Gaussian as wide as a disc has half its radius as the standard deviation.
    """
    images: list[Image] = []
    for k, image in enumerate(rendered(15, blur_px)):
        scale = 1 + 0.003 * (k - 7)  # 0.6 px a slice at the corners
        warp = np.array([[scale, 0, 160 * (1 - scale)], [0, scale, 120 * (1 - scale)]])
        zoomed = cv2.warpAffine(
            image, warp, (320, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        images.append(np.asarray(zoomed, np.uint8))
    motion = watch(images)
    assert motion.camera_px > 5
    if moves:
        assert motion.moving > 0.3
    else:
        assert motion.moving < 0.02


def with_jump(
    images: Sequence[Image], at: int, by_px: int, side: int
) -> tuple[list[Image], Image]:
    """Return images of which a square jumps once to the right; and where it then is."""
    height, width = images[0].shape[:2]
    top, left = (height - side) // 2, width // 4
    after = np.s_[top : top + side, left + by_px : left + by_px + side]
    jumped: list[Image] = []
    for k, image in enumerate(images):
        moved = np.array(image, np.uint8)
        if k >= at:
            moved[after] = image[top : top + side, left : left + side]
        jumped.append(moved)
    inside = np.zeros((height, width), np.uint8)
    inside[after] = 1
    return jumped, inside


@pytest.mark.parametrize('by_px', [4, 8, 12, 24, 64])
@pytest.mark.parametrize(('count', 'blur_px', 'lost'), [(15, 0.3, 0.9), (6, 1.0, 0.8)])
def test_an_object_that_jumps_once_loses_its_confidence(
    count: int, blur_px: float, lost: float, by_px: int
) -> None:
    images, inside = with_jump(rendered(count, blur_px), count // 2, by_px, 60)
    motion = watch(images)
    assert (motion.trust[inside == 1] < 0.1).mean() >= lost
    assert motion.moving >= lost * inside.mean()
    around = cv2.dilate(inside, np.ones((61, 61 + 2 * by_px), np.uint8))
    assert (motion.trust[around == 0] < 0.5).mean() < 0.005


@pytest.mark.parametrize('drift_px', [1.0, 0.4])
def test_a_drift_of_the_camera_is_measured(drift_px: float) -> None:
    images = [shifted(image, drift_px * k) for k, image in enumerate(still())]
    motion = watch(images)
    assert motion.camera_px == pytest.approx(14 * drift_px, rel=0.15)
    assert motion.moving > 0.8


def test_pixels_that_no_slice_shows_are_ignored() -> None:
    """The left half moves, but no slice shows it."""
    images = still()
    seen = np.ones(images[0].shape[:2], bool)
    seen[:, :320] = False
    meters = MotionMeter(), MotionMeter()
    for k, image in enumerate(images):
        half = np.asarray(image, np.uint8).copy()
        half[:, :320] = shifted(image, 1.0 * k)[:, :320]
        meters[0].add(half, seen)
        meters[1].add(half)
    assert meters[0].motion.moving < 0.01
    assert meters[1].motion.moving > 0.3


@pytest.mark.parametrize('shape', [(16, 16), (48, 64, 3), (17, 400), (481, 643)])
def test_any_size_is_taken(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images: list[Image] = [rng.integers(0, 256, shape).astype(np.uint8) for _ in range(3)]
    trust = watch(images).trust
    assert trust.shape == shape[:2]
    assert trust.dtype == np.float32
    assert ((trust >= 0) & (trust <= 1)).all()


@pytest.mark.parametrize('grey', [0, 90, 65535])
def test_without_texture_nothing_moves(grey: int) -> None:
    plain: list[Image] = [np.full((60, 80), grey, np.uint16)] * 4
    motion = watch(plain)
    assert (motion.trust == 1).all()
    assert motion.camera_px == 0
    assert (watch(plain[:1]).trust == 1).all()
