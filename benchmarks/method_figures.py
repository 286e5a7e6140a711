"""Draw the result of each stage of the method: the figures of docs/method.md.

./run python benchmarks/method_figures.py STACK [--weights FILE] [--out DIR]
Needs PyTorch, which `./run python` installs. STACK: as for `sff depth`, cut to multiples of 16 px.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch

from sff_ros.cli.report.scale_bar import Scale, add_scale, draw_text, text_size
from sff_ros.core.focus.all_in_focus import RunningAllInFocus, compose
from sff_ros.core.focus.canonical import POSITIONS, canonical_places, from_canonical, to_canonical
from sff_ros.core.focus.curve_fit import CurveFitter
from sff_ros.core.focus.deviation import OVERSTATED, confidence_of
from sff_ros.core.focus.measure import DILATIONS, POOLING, FocusVolume, measure_contrast
from sff_ros.core.focus.peak import MEDIUM, Evidence, gather_evidence
from sff_ros.core.focus.template_bank import FALL, extend
from sff_ros.core.image import AnyFloats, FloatMap, RgbImage, to_grey
from sff_ros.files.stack import read_stack
from sff_ros.inference.shipped import shipped_model
from sff_ros.network.checkpoint import assign_weights, read_trained
from sff_ros.network.fast_gru import SIZE_MULTIPLE, FastGru, Predictions

PAPER = 255
GAP = 6  # px between panels
SHOWN = 5  # slices of the sweep
# Kinds of example pixels, and their colours.
MARKS = {'textured': 'tab:red', 'weak texture': 'darkorange', 'at a depth edge': 'tab:cyan'}

Pixel = tuple[int, int]  # row, column of the pooled maps


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """The result of every stage for one sweep; `start` is the classical map, canonical (h, w)."""

    images: Sequence[RgbImage]
    volume: FocusVolume
    evidence: Evidence
    start: FloatMap
    predictions: Predictions
    sharp: RgbImage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('stack', type=Path, metavar='STACK')
    parser.add_argument(
        '--weights', type=Path, help='.safetensors, or checkpoint.pt of `sff train`'
    )
    parser.add_argument('--out', type=Path, default=Path('docs/images'))
    args = parser.parse_args()
    stages = run(args.stack, args.weights or shipped_model('fast_gru.safetensors'))
    pixels = pick_pixels(stages)
    args.out.mkdir(parents=True, exist_ok=True)
    images = {
        'sweep': sweep_figure(stages),
        'ddl': ddl_figure(stages),
        'stages': stages_figure(stages),
        'edge': stages_figure(stages, around=pixels['at a depth edge']),
        'curves': curves_figure(stages, pixels),
    }
    for name, image in images.items():
        path = args.out / f'method_{name}.png'
        _, data = cv2.imencode('.png', image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        path.write_bytes(data.tobytes())
        print(f'{path}: {image.shape[1]}x{image.shape[0]} px, {len(data)} bytes')


# ---- the stages


def run(folder: Path, weights: Path) -> Stages:
    """Compute all stages of a recorded sweep."""
    stack = read_stack(folder)
    height, width = (side // SIZE_MULTIPLE * SIZE_MULTIPLE for side in stack.image(0).shape[:2])
    images = [stack.as_8_bit(s.image)[:height, :width] for s in stack.focal_stack().slices]
    responses = [measure_contrast(image, POOLING) for image in images]
    context = RunningAllInFocus()
    for image, response in zip(images, responses, strict=True):
        context.add(image, response)
    axis = stack.focus_dpt if stack.has_focus else np.arange(float(len(images)))
    volume = FocusVolume(np.stack(responses), axis, (height, width), POOLING)
    evidence = gather_evidence(volume)
    sweep = to_canonical(volume, evidence, context.image)
    maps = (sweep.responses, sweep.evidence, sweep.context)
    with torch.inference_mode():
        predictions = load(weights).eval()(*(torch.from_numpy(m)[None] for m in maps))
    position = from_canonical(values(predictions.position), axis)
    sharp = cast('RgbImage', compose(images, position))
    return Stages(images, volume, evidence, sweep.evidence[0], predictions, sharp)


def load(weights: Path) -> FastGru:
    """Return the network with the weights of a file."""
    network = FastGru()
    assign_weights(network, read_trained(weights), weights)
    return network


def values(tensor: torch.Tensor) -> FloatMap:
    """Return the only map of a batch."""
    return cast('FloatMap', tensor[0, 0].numpy())


def pick_pixels(stages: Stages) -> dict[str, Pixel]:
    """Choose example pixels, all inside the sweep, by the classical result.

    Textured: the most information within a plane. Weak texture: among the faintest fifth, a noisy
    curve. Depth edge: the largest step where one peak does not explain the curve.
    """
    e = stages.evidence
    last = len(stages.images) - 1
    position = cast('FloatMap', cv2.medianBlur(e.dense.position.astype(np.float32), 5))
    inside = (position > 0.15 * last) & (position < 0.85 * last)
    margin = min(position.shape) // 10
    inside[:margin], inside[-margin:], inside[:, :margin], inside[:, -margin:] = (False,) * 4
    known = cv2.blur(e.information, (9, 9))
    flat = 1 / (1 + cv2.blur(e.dense.misfit.astype(np.float32), (9, 9)) / 0.05)
    contrast = cv2.blur(stages.volume.responses.mean(axis=(0, 1)), (5, 5))
    faint = contrast < np.quantile(contrast[inside], 0.2)
    noisy = (e.explained > 0.5) & (e.explained < 0.8)
    square = np.ones((9, 9), np.uint8)
    step = cv2.dilate(position, square) - cv2.erode(position, square)
    mixed = np.minimum(cv2.blur(known, (15, 15)), 5.0) * (1 - e.explained)
    scores = (known * flat * e.explained, flat * faint * noisy, step * mixed)
    places = (np.unravel_index(int((score * inside).argmax()), score.shape) for score in scores)
    return {name: (int(y), int(x)) for name, (y, x) in zip(MARKS, places, strict=True)}


# ---- the figures


def sweep_figure(stages: Stages) -> RgbImage:
    """Slices of the sweep, and the all-in-focus image."""
    last = len(stages.images) - 1
    chosen = [round(k * last / (SHOWN - 1)) for k in range(SHOWN)]
    tiles = [panel(stages.images[i], f'slice {i} of 0 .. {last}', 300) for i in chosen]
    return grid([*tiles, panel(stages.sharp, 'sharp everywhere', 300)], 3)


def ddl_figure(stages: Stages) -> RgbImage:
    """One slice and its response to each dilation, on one scale."""
    middle = len(stages.images) // 2
    responses = stages.volume.responses[middle]
    # Colours change with the square root, or weak responses would be black.
    colours = ramp(cv2.COLORMAP_INFERNO)[np.sqrt(np.linspace(0, 255**2, 256)).astype(np.intp)]
    scale = Scale(0.0, float(np.quantile(responses, 0.995)), 'response', colours)
    named = {f'DDL, r = {r} px': m for r, m in zip(DILATIONS, responses, strict=True)}
    named['mean of the four'] = responses.mean(axis=0)
    half = (responses.shape[2] // POOLING, responses.shape[1] // POOLING)
    tiles = [panel(to_grey(stages.images[middle]), f'slice {middle}, grey', half[0])]
    for name, map_ in named.items():
        small = cv2.resize(map_, half, interpolation=cv2.INTER_AREA)
        tiles.append(panel(coloured(small, scale, 32), name, half[0]))
    return add_scale(grid(tiles, 3), scale)


def stages_figure(stages: Stages, around: Pixel | None = None) -> RgbImage:
    """Image, start, each iteration, half resolution, final position, confidence."""
    predictions = stages.predictions
    positions = Scale(0.0, POSITIONS - 1.0, 'position', ramp(cv2.COLORMAP_TURBO))
    sure = Scale(0.0, 1.0, 'confidence', ramp(cv2.COLORMAP_VIRIDIS))
    maps = {'start: classical map': stages.start}
    maps |= {f'iteration {i + 1}': values(d) for i, d in enumerate(predictions.steps)}
    ends = {'at half resolution': predictions.half, 'final position': predictions.position}
    maps |= {name: values(d) for name, d in ends.items()}
    named = {'sharp everywhere': stages.sharp}
    named |= {name: coloured(map_, positions) for name, map_ in maps.items()}
    scale = OVERSTATED * values(predictions.log_scale.exp())
    named['confidence'] = coloured(confidence_of(scale), sure)
    tiles = [panel(part(p, stages.volume.size, around), name, 228) for name, p in named.items()]
    return add_scale(add_scale(grid(tiles, 4), positions), sure)


def part(image: RgbImage, size: tuple[int, int], around: Pixel | None) -> RgbImage:
    """Crop a sixth of the sides around a pixel, if any, at full resolution."""
    if around is None:
        return image
    times = size[0] // image.shape[0]
    top, left = (
        min(max(POOLING * at - side // 12, 0), side - side // 6)
        for at, side in zip(around, size, strict=True)
    )
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    return large[top : top + size[0] // 6, left : left + size[1] // 6]


def curves_figure(stages: Stages, pixels: dict[str, Pixel]) -> RgbImage:
    """The example pixels; their focus curves, the classical fit and the network's result."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), dpi=100, layout='constrained')
    axes = figure.subplots(1, 4, width_ratios=(1.45, 1, 1, 1))
    axes[0].imshow(fewer_levels(stages.sharp))
    axes[0].set_axis_off()
    axes[0].set_title('the pixels')
    total = stages.volume.responses[:, :2].sum(axis=1)
    smooth = np.stack([cv2.GaussianBlur(m, (0, 0), MEDIUM) for m in total])
    curves: FloatMap = np.power(smooth, 1.5, dtype=np.float32)
    for (name, at), plot in zip(pixels.items(), axes[1:], strict=True):
        place = (POOLING * at[1], POOLING * at[0])
        for colour, width in (('white', 6), (MARKS[name], 3)):
            axes[0].plot(*place, 'o', mfc='none', mec=colour, mew=width, ms=14)
        draw_curve(plot, stages, curves, at)
        plot.set_title(name, color=MARKS[name])
    figure.legend(*axes[1].get_legend_handles_labels(), loc='outside lower center', ncols=4)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def draw_curve(plot: Any, stages: Stages, curves: FloatMap, at: Pixel) -> None:
    """Plot one focus curve along canonical positions, and its estimates."""
    axis = stages.volume.axis
    places = canonical_places(axis)
    curve = curves[:, at[0], at[1]] - curves[:, at[0], at[1]].min()
    curve /= curve.max()
    plot.plot(places, curve, 'o', color='0.2', label='focus curve, one dot a slice')
    fit = CurveFitter(curves.reshape(len(axis), -1), axis).fit()
    peak = fit.position[at[0] * curves.shape[2] + at[1]]
    centre = extend(places, np.array([float(peak)]))
    dense = np.linspace(-1, POSITIONS, 200)
    plot.plot(dense, best_fit(places, curve, centre, dense), label='classical fit')
    plot.axvline(stages.start[at], ls='--', label='classical map')
    here = (POOLING * at[0], POOLING * at[1])
    position = float(values(stages.predictions.position)[here])
    scale = OVERSTATED * float(np.exp(values(stages.predictions.log_scale)[here]))
    plot.axvspan(position - scale, position + scale, color='tab:red', alpha=0.2)
    plot.axvline(position, color='tab:red', label='network: position and its scale')
    plot.set(xlim=(-1, POSITIONS), ylim=(-0.15, 1.3), xlabel='canonical position', yticks=(0, 1))


def best_fit(axis: AnyFloats, curve: AnyFloats, centre: AnyFloats, dense: AnyFloats) -> AnyFloats:
    """Return gain and offset times the template of the best width, least squares."""

    def template(x: AnyFloats, width: float) -> AnyFloats:
        falls = 1 / (1 + np.abs((x - centre) / width) ** FALL)
        return np.stack([falls, np.ones_like(falls)], axis=1)

    fits = []
    for width in np.geomspace(0.5, POSITIONS / 2, 20):
        gains, misfit, *_ = np.linalg.lstsq(template(axis, width), curve, rcond=None)
        fits.append((float(misfit.sum()), gains, width))
    _, gains, width = min(fits, key=lambda fit: fit[0])
    return template(dense, width) @ gains


# ---- drawing


def ramp(code: int) -> RgbImage:
    """Return one of OpenCV's colour maps as (256, 3) RGB."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(levels, code)[:, 0, ::-1], np.uint8)


def coloured(map_: npt.NDArray[Any], scale: Scale, steps: int = 60) -> RgbImage:
    """Colour a map, in steps that PNG compresses well."""
    share = np.clip((map_ - scale.low) / (scale.high - scale.low), 0, 1)
    return scale.colours[np.rint(steps * share).astype(np.intp) * 255 // steps]


def panel(image: npt.NDArray[Any], title: str, width: int) -> RgbImage:
    """Scale an image to a width, with a title above."""
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    size = (width, round(colour.shape[0] * width / colour.shape[1]))
    bar = 3 * text_size('0', 0.5)[1]
    tile = np.full((size[1] + bar, width, 3), PAPER, np.uint8)
    draw_text(tile, title, (2, 2 * bar // 3), 0.5)
    method = cv2.INTER_AREA if colour.shape[1] > width else cv2.INTER_NEAREST
    tile[bar:] = fewer_levels(np.asarray(cv2.resize(colour, size, interpolation=method)))
    return tile


def grid(tiles: Sequence[RgbImage], columns: int) -> RgbImage:
    """Arrange tiles of one size in rows, with gaps; the last row may end early."""
    spaced = [np.pad(t, ((0, 0), (0, GAP), (0, 0)), constant_values=PAPER) for t in tiles]
    spaced += [np.full_like(spaced[0], PAPER)] * (-len(spaced) % columns)
    return np.vstack([np.hstack(spaced[i : i + columns]) for i in range(0, len(spaced), columns)])


def fewer_levels(image: npt.NDArray[Any]) -> RgbImage:
    """Round to 32 levels per channel: hardly visible, and halves the PNG."""
    return np.asarray(np.minimum((image.astype(np.int16) + 4) // 8 * 8, 255), np.uint8)


if __name__ == '__main__':
    main()
