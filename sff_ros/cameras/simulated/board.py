"""A calibration board in front of the simulated camera, and a wall behind it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sff_ros.cameras.simulated import textures
from sff_ros.core.calibration.charuco import Board
from sff_ros.core.homography import inverse, product
from sff_ros.core.image import FloatMap
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.rendering import Layer

SQUARE_PX = 96  # of the drawing to be imaged
PAPER = 0.5  # margin of white paper around the board, squares
WHITE, BLACK = 0.80, 0.04  # reflectance of paper and ink
OVERSAMPLING = 4  # samples per pixel side

Pose = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def pose(
    distance_m: float, tilt_deg: tuple[float, float] = (0.0, 0.0), roll_deg: float = 0.0
) -> Pose:
    """Return rotation (3, 3) and translation (3,) m of a plane centred on the axis.

    Args:
        distance_m: from the lens to the centre, along Z.
        tilt_deg: rotations about the image's x and y axes.
        roll_deg: rotation about the optical axis.
    """
    turns = np.radians((*tilt_deg, roll_deg))
    rotation = np.eye(3)
    for axis, turn in enumerate(turns.tolist()):
        vector = np.zeros(3)
        vector[axis] = turn
        rotation = product(np.asarray(cv2.Rodrigues(vector)[0], float), rotation)
    return rotation, np.array([0, 0, distance_m])


def board_layers(board: Board, camera: Intrinsics, border_px: int, where: Pose) -> list[Layer]:
    """Return a wall and the board in front of it as layers of a scene.

    Args:
        board: what to show.
        camera: the pinhole camera.
        border_px: extent of the wall outside the image.
        where: pose of the board's centre in the camera's frame.
    """
    paper = _paper(board)
    middle = np.array([paper.shape[1] - 1, paper.shape[0] - 1]) / 2
    pixel_m = board.square_m / SQUARE_PX
    layer = plane_layer(paper, pixel_m, middle, camera, border_px, where)
    return [_wall(camera, border_px, where[1][2] * 1.4), layer]


def textured_layers(
    texture: FloatMap, pixel_m: float, camera: Intrinsics, border_px: int, where: Pose
) -> list[Layer]:
    """Return a plane that fills the image, with a texture (h, w, 3) in linear light."""
    middle = np.array([texture.shape[1] - 1, texture.shape[0] - 1]) / 2
    return [plane_layer(texture, pixel_m, middle, camera, border_px, where)]


def plane_layer(
    drawing: FloatMap,
    pixel_m: float,
    middle_px: npt.NDArray[np.float64],
    camera: Intrinsics,
    border_px: int,
    where: Pose,
) -> Layer:
    """Return a pinhole camera's image of a flat drawing.

    Args:
        drawing: (h, w, 3) linear light.
        pixel_m: side of one of its pixels, m.
        middle_px: its pixel at the origin of its pose.
        camera: the pinhole camera.
        border_px: extent of the layer outside the image.
        where: rotation and translation of the drawing in the camera's frame.
    """
    rotation, translation = where
    # Drawing px -> m on the plane -> camera -> image px.
    to_plane = np.array(
        [[pixel_m, 0, -pixel_m * middle_px[0]], [0, pixel_m, -pixel_m * middle_px[1]], [0, 0, 1]]
    )
    to_camera = np.column_stack((rotation[:, 0], rotation[:, 1], translation))
    n = OVERSAMPLING
    width, height = camera.width + 2 * border_px, camera.height + 2 * border_px
    # Sample k of a pixel lies at (k + 0.5) / n - 0.5 of it.
    offset = n * border_px + (n - 1) / 2
    to_samples = np.array([[n, 0, offset], [0, n, offset], [0, 0, 1.0]])
    homography = product(to_samples, camera.matrix, to_camera, to_plane)
    size = (width * n, height * n)
    light = cv2.warpPerspective(drawing, homography, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(
        np.ones(drawing.shape[:2], np.float32), homography, size, flags=cv2.INTER_LINEAR
    )
    rgba = cv2.resize(np.dstack((light, cover)), (width, height), interpolation=cv2.INTER_AREA)
    # 1 / Z of a plane n . X = n . t is linear in the pixel: n . K^-1 (u, v, 1) / n . t.
    normal = rotation[:, 2]
    row = product(normal[None], inverse(camera.matrix))[0] / (normal * translation).sum()
    v, u = np.indices((height, width)) - border_px
    dioptres = row[0] * u + row[1] * v + row[2]
    return Layer(
        np.asarray(rgba, np.float32),
        np.asarray(dioptres, np.float32),
        -border_px,
        -border_px,
    )


def _paper(board: Board) -> FloatMap:
    """Return the printed sheet, (h, w, 3) linear light."""
    margin = round(PAPER * SQUARE_PX)
    drawn = cv2.copyMakeBorder(
        board.draw(SQUARE_PX), *(margin,) * 4, cv2.BORDER_CONSTANT, value=255
    )
    ink = np.where(drawn > 127, np.float32(WHITE), np.float32(BLACK))
    return np.asarray(np.repeat(ink[..., None], 3, axis=2), np.float32)


def _wall(camera: Intrinsics, border_px: int, distance_m: float) -> Layer:
    """Return a wall that fills the image."""
    rng = np.random.default_rng(7)
    noise, grain = (textures.fractal_noise(rng, 512, falloff) for falloff in (1.1, 0.35))
    tile = np.square(textures.concrete(noise, grain))
    width, height = camera.width + 2 * border_px, camera.height + 2 * border_px
    across, down = -(-width // tile.shape[1]), -(-height // tile.shape[0])
    light = np.tile(tile, (down, across, 1))[:height, :width]
    rgba = np.dstack((light, np.ones((height, width)))).astype(np.float32)
    flat = np.full((height, width), 1 / distance_m, np.float32)
    return Layer(rgba, flat, -border_px, -border_px)
