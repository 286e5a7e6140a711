from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sff_ros.core.depth.rectify import Rectifier
from sff_ros.core.optics.intrinsics import Intrinsics

W, H = 160, 120
CAMERAS = {
    'plumb_bob 4': ((-0.25, 0.08, 0.002, -0.001), 'plumb_bob'),
    'plumb_bob 5': ((-0.3, 0.1, 0.001, 0.002, -0.02), 'plumb_bob'),
    'pincushion': ((0.2, 0.05, 0.0, 0.0), 'plumb_bob'),
    'rational_polynomial': (
        (0.4, 0.1, 0.001, -0.001, 0.02, 0.7, 0.2, 0.03), 'rational_polynomial',
    ),
    'equidistant': ((-0.02, 0.01, -0.004, 0.001), 'equidistant'),
}  # fmt: skip


def camera(name: str) -> Intrinsics:
    return Intrinsics(W, H, 130.0, 128.0, 81.5, 58.25, *CAMERAS[name])


def distorted_pixel(k: Intrinsics, ray: tuple[float, float]) -> tuple[float, float]:
    """Return where the distorted camera sees a ray (x / z, y / z), by OpenCV's projection."""
    point = np.array([[[*ray, 1.0]]])
    zero = np.zeros(3)
    distortion = np.array(k.distortion)
    if k.distortion_model == 'equidistant':
        pixel: Any = cv2.fisheye.projectPoints(point, zero, zero, k.matrix, distortion)[0]
    else:
        pixel = cv2.projectPoints(point, zero, zero, k.matrix, distortion)[0]
    x, y = pixel.ravel().tolist()
    return x, y


def blob(x: float, y: float) -> npt.NDArray[np.uint16]:
    """Return an image of one smooth dot."""
    rows, columns = np.mgrid[0:H, 0:W]
    dot = 60000 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))
    image: npt.NDArray[np.uint16] = dot.astype(np.uint16)
    return image


def centroid(image: npt.NDArray[Any]) -> tuple[float, float]:
    rows, columns = np.mgrid[0:H, 0:W]
    weight = image.astype(float)
    total = weight.sum()
    return float((columns * weight).sum() / total), float((rows * weight).sum() / total)


@pytest.mark.parametrize('name', CAMERAS)
@pytest.mark.parametrize('ray', [(0.0, 0.0), (0.4, 0.2), (-0.45, 0.3), (0.3, -0.3), (-0.4, -0.3)])
def test_points_come_to_lie_where_the_pinhole_sees_them(
    name: str, ray: tuple[float, float]
) -> None:
    k = camera(name)
    x, y = distorted_pixel(k, ray)
    wanted = (130.0 * ray[0] + 81.5, 128.0 * ray[1] + 58.25)
    rectifier = Rectifier(k)
    # A dot is stretched a little unevenly, which moves its centroid by hundredths.
    assert centroid(rectifier.image(blob(x, y))) == pytest.approx(wanted, abs=0.1)
    as_map = rectifier.map(blob(x, y).astype(np.float32), 0.0)
    assert centroid(as_map) == pytest.approx(wanted, abs=0.3)
    if ray != (0.0, 0.0):
        moved = np.hypot(x - wanted[0], y - wanted[1])
        assert moved > 1.0  # else this test could not fail


@pytest.mark.parametrize('name', CAMERAS)
def test_map_makes_no_new_values(name: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.choice(np.array([0.5, 3.0, np.inf, -np.inf], np.float32), (H, W))
    result = Rectifier(camera(name)).map(values, -7.0)
    assert result.dtype == np.float32
    assert result.shape == (H, W)
    assert set(np.unique(result).tolist()) <= {0.5, 3.0, np.inf, -np.inf, -7.0}


def test_map_and_image_agree_on_what_is_not_reached() -> None:
    k = camera('pincushion')
    rectifier = Rectifier(k)
    reached = ~np.isnan(rectifier.map(np.ones((H, W), np.float32), np.nan))
    assert 0.5 < reached.mean() < 0.95
    image = rectifier.image(np.full((H, W, 3), 200, np.uint8))
    assert image.shape == (H, W, 3)
    inside = cv2.erode(reached.astype(np.uint8), np.ones((3, 3))).astype(bool)
    inside[[0, -1]] = inside[:, [0, -1]] = False
    outside = cv2.dilate(reached.astype(np.uint8), np.ones((3, 3))) == 0
    assert (image[inside] == 200).all()
    assert (image[outside] == 0).all()
    # The pinhole's rays beyond the image's edge are those that are not reached.
    corner = distorted_pixel(k, ((0 - 81.5) / 130, (0 - 58.25) / 128))
    assert min(corner) < 0
    assert not reached[0, 0]
    assert reached[H // 2, W // 2]


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_images_keep_their_type(dtype: type) -> None:
    image: Any = np.random.default_rng(1).integers(0, 256, (H, W, 3)).astype(dtype)
    result = Rectifier(camera('plumb_bob 5')).image(image)
    assert result.dtype == dtype
    assert result.shape == image.shape


@pytest.mark.parametrize(
    'k',
    [
        Intrinsics(W, H),
        Intrinsics(W, H, 100.0, 100.0, 80.0, 60.0),
        Intrinsics(W, H, 100.0, 100.0, 80.0, 60.0, (0.0,) * 5),
        Intrinsics(W, H, 100.0, 100.0, 80.0, 60.0, (0.0,) * 4, 'equidistant'),
    ],
)
def test_without_distortion_nothing_is_touched(k: Intrinsics) -> None:
    image = np.zeros((H, W, 3), np.uint8)
    values = np.zeros((H, W), np.float32)
    rectifier = Rectifier(k)
    assert rectifier.image(image) is image
    assert rectifier.map(values, np.nan) is values
