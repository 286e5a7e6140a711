"""Support of positions by focus curves: noise, plain surfaces and other positions have none."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import HEIGHT, SLICES, WIDTH, even, plane, render, texture

from sff_ros.core.focus.measure import POOLING, FocusVolume, measure_contrast
from sff_ros.core.focus.peak import gather_evidence
from sff_ros.core.focus.support import supported_confidence
from sff_ros.core.image import FloatMap, RgbImage

INNER = (slice(8, -8), slice(8, -8))


def supported(images: list[RgbImage], position: FloatMap, sure: float = 0.8) -> FloatMap:
    """Return the confidence that is left of `sure`, as a share."""
    responses = np.stack([measure_contrast(image, POOLING) for image in images])
    axis = even(0, len(images) - 1, len(images))
    volume = FocusVolume(responses, axis, (HEIGHT, WIDTH), POOLING)
    confidence = np.full((HEIGHT, WIDTH), sure, np.float32)
    left = supported_confidence(position, confidence, volume, gather_evidence(volume))
    assert (left <= confidence + 1e-6).all()
    return np.asarray(left / np.float32(sure), np.float32)


def test_texture_supports_its_position_and_no_other() -> None:
    position = plane(3, 11)
    images = render(position)
    assert supported(images, position)[INNER].min() > 0.999
    assert supported(images, position + 3)[INNER].max() == 0


def test_a_lens_that_stands_still_supports_nothing() -> None:
    position = np.full((HEIGHT, WIDTH), 7, np.float32)
    sharp = texture()
    rng = np.random.default_rng(0)
    images = [
        np.clip(np.rint(sharp + rng.normal(0, 2, sharp.shape)), 0, 255).astype(np.uint8)
        for _ in range(SLICES)
    ]
    assert (supported(images, position) > 0).mean() < 0.01


@pytest.mark.parametrize('grey', [20.0, 240.0])
def test_a_plain_surface_supports_nothing_beyond_the_blur_of_the_next_one(grey: float) -> None:
    position = np.full((HEIGHT, WIDTH), 5, np.float32)
    sharp = texture()
    sharp[:, 48:] = grey
    found = supported(render(position, sharp=sharp), position)
    assert found[8:-8, 8:40].min() > 0.999
    assert found[:, 88:].max() == 0


def test_noise_of_25_grey_levels_supports_next_to_nothing() -> None:
    position = plane(3, 11)
    images = render(position, noise=25.0, sharp=texture(contrast=4.0))
    for there in (position, np.full_like(position, 7)):
        assert (supported(images, there) > 0.5).mean() < 0.03


def test_a_network_that_is_very_sure_may_fill_a_plain_patch_but_not_a_background() -> None:
    position = np.full((HEIGHT, WIDTH), 5, np.float32)
    patch = texture()
    patch[26:70, 42:86] = 20
    background = texture()
    background[:, 24:] = 20
    for sharp, filled in ((patch, True), (background, False)):
        images = render(position, sharp=sharp)
        inner = (slice(46, 50), slice(62, 66))
        for sure, believed in ((0.75, False), (0.98, filled)):
            left = supported(images, position, sure)[inner] * sure
            assert (left > 0.5).all() if believed else (left < 0.2).all()


def test_in_a_noisy_sweep_no_network_is_believed_without_support() -> None:
    position = plane(3, 11)
    images = render(position, noise=25.0, sharp=texture(contrast=4.0))
    assert (supported(images, position, 0.99) > 0.5).mean() < 0.03
