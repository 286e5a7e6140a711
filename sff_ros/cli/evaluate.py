"""`sff evaluate`: stacks with ground truth in; a table of errors out."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sff_ros.cli.evaluation.ground_truth import GroundTruth, ground_truth_path, read_ground_truth
from sff_ros.cli.evaluation.robustness import SIZES, Comparison, joined, run_suite
from sff_ros.cli.evaluation.robustness_scores import SuiteScores, score_row, score_suite
from sff_ros.cli.evaluation.scoring import Row, judge, mean_row, measure, to_numbers
from sff_ros.cli.report import robustness_table
from sff_ros.cli.report.blank import report_blank
from sff_ros.cli.report.evaluation_plot import evaluation_plot
from sff_ros.cli.report.evaluation_table import markdown
from sff_ros.cli.report.robustness_plots import edge_plot, reliability_plot, scene_sheet
from sff_ros.config.nodes import DepthConfig
from sff_ros.core.alignment.aligner import ALIGNMENTS, Alignment, alignment_of
from sff_ros.core.optics.field_curvature import field_correction
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.errors import ConfigError, SffError
from sff_ros.files.atomic_folder import staged_folder
from sff_ros.files.export import checked_out
from sff_ros.files.home import expanded
from sff_ros.files.image import write_png
from sff_ros.files.stack import RecordedStack, read_stack
from sff_ros.files.whole_file import write_file
from sff_ros.inference.backend import DepthBackend
from sff_ros.inference.choice import open_backend
from sff_ros.pipeline import FocusMap

HELP = 'Measure the errors of backends on stacks with ground truth.'
EPILOG = """\
FOLDER is a stack as for `sff depth`, with its ground truth: one of truth/index.npy (0-based slice
position), truth/dioptres.npy and truth/depth.npy (metres), or as .tiff, of the size of the
images; NaN is unknown. The last two need focus distances in stack.yaml. Slices are aligned as by
`sff depth`; the ground truth is in the same frame: that of the reference focus, or of the slice
half way through the sweep if breathing is unknown.

Columns: MAE, RMSE in slices; bad-1: pixels whose error is above a slice; AbsRel: of the
depth in metres, where focus distances are known; bumpiness: 100 x curvature of the error; MAE
50, 70, 90 %: of the most confident pixels; valid: pixels that keep their depth at the default
min_confidence; within 1, 2 SD: of these, those off by at most one, two standard deviations; time:
from the last slice to the map.

DIR receives evaluation.md, evaluation.json and STACK_BACKEND.png: all in focus, ground truth,
estimate and error.

--suite robustness takes no FOLDER. It draws scenes that go wrong at a user's (a lens that stands
still, plain backgrounds, noise, wires, lights at night, motion, ...), with unknown focus
distances. Published is a pixel with a confidence of --min-confidence or more, wrong a published
position that is off by more than a slice (of 15: a fourteenth of the sweep), or any position
where none is right; both are shares of the pixels that the scene is about. error: mean of the
published ones, in slices of 15; right of knowable: the share that is published and right of
surfaces whose position the images determine. Below the table: reliability by tenths of
confidence, and errors by distance to depth edges in the textured scene. DIR receives
robustness.md, robustness.json, reliability.png, edges.png and SCENE.png: slices, ground truth,
masks (orange: judged, green: knowable, white: both) and what each backend publishes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sff evaluate`."""
    parser.add_argument('folders', metavar='FOLDER', type=Path, nargs='*', help='a stack')
    parser.add_argument(
        '--suite', choices=('robustness',), help='score drawn scenes instead of folders'
    )
    parser.add_argument(
        '--size',
        choices=tuple(SIZES),
        help='of the suite: small takes seconds, full minutes (default: full)',
    )
    parser.add_argument(
        '--min-confidence',
        metavar='C',
        type=float,
        help='from which the suite counts a pixel as published '
        f'(default: {DepthConfig().min_confidence})',
    )
    parser.add_argument(
        '--backends',
        metavar='NAMES',
        default='peak,auto',
        help='separated by commas (default: %(default)s)',
    )
    parser.add_argument(
        '--model',
        metavar='FILE',
        default='',
        help='a network of `sff export` for the backends that run one (default: the one that '
        'comes with the package)',
    )
    parser.add_argument(
        '--align',
        choices=ALIGNMENTS,
        default='auto',
        help='how slices are brought into one frame, as in `sff depth` (default: %(default)s)',
    )
    parser.add_argument('--out', metavar='DIR', type=Path, help='folder for tables and images')
    parser.add_argument('--json', action='store_true', help='print JSON instead of Markdown')


def run(args: argparse.Namespace) -> int:
    """Run `sff evaluate`.

    Raises:
        SffError: the input is wrong; nothing was written.
        OSError: DIR cannot be written.
    """
    if args.suite is not None:
        return _run_suite(args)
    if args.size is not None or args.min_confidence is not None:
        raise ConfigError('--size and --min-confidence are for --suite')
    if not args.folders:
        raise ConfigError('no FOLDER is given, and no --suite')
    paths = [ground_truth_path(folder) for folder in args.folders]
    ground_truths = dict(zip(stack_names(args.folders), paths, strict=True))
    backends = _open(args.backends, args.model)
    if args.out is None:
        rows = list(evaluate(ground_truths, backends, None, args.align))
        print(_json(rows) if args.json else markdown(with_means(rows)))
        return 0
    out = checked_out(args.out, None)
    if any(out.resolve() == folder.resolve() for folder in args.folders):
        raise ConfigError(f'--out {out} holds a stack: images would count as its slices')
    with staged_folder(out) as stage:
        rows = list(evaluate(ground_truths, backends, stage, args.align))
        table = markdown(with_means(rows))
        write_file(stage / 'evaluation.md', table + '\n')
        write_file(stage / 'evaluation.json', _json(rows) + '\n')
    print(_json(rows) if args.json else table)
    return 0


def evaluate(
    ground_truths: Mapping[str, Path],
    backends: Mapping[str, DepthBackend],
    plots: Path | None,
    align: str = 'auto',
) -> Iterator[tuple[str, str, Row]]:
    """Yield (stack, backend, row) for every stack and backend; print progress on stderr.

    Args:
        ground_truths: file of each stack, by the name of the stack.
        backends: by name.
        plots: existing folder to write plots to, or None.
        align: how slices are brought into one frame, one of ALIGNMENTS.

    Raises:
        SffError: a stack or its ground truth is invalid, or a backend cannot take it.
    """
    for name, path in ground_truths.items():
        stack = read_stack(path.parents[1])
        how = alignment_of(align, stack.lens)
        field = field_correction(stack.intrinsics, stack.lens[0].field_dpt)
        ground_truth = read_ground_truth(path, _shape(stack), stack.focus_dpt, field)
        for backend_name, backend in backends.items():
            try:
                focus_map, seconds = measure(stack, backend, how)
            except SffError as err:
                raise type(err)(f'{name}, {backend_name}: {err}') from err
            report_blank(stack, focus_map.left_out)
            row = judge(focus_map, ground_truth, seconds)
            print(f'{name}, {backend_name}: MAE {row.mae:.3f}', file=sys.stderr, flush=True)
            if plots is not None:
                file = _file_name(f'{name}_{backend_name}')
                _draw(plots / f'{file}.png', stack, focus_map, ground_truth)
            yield name, backend_name, row


def _run_suite(args: argparse.Namespace) -> int:
    """Run `sff evaluate --suite`."""
    if args.folders:
        raise ConfigError(f'--suite draws its own scenes; {args.folders[0]} cannot be added')
    config = DepthConfig()
    if args.min_confidence is not None:
        config = DepthConfig(min_confidence=args.min_confidence)
    align = alignment_of(args.align, [LensState()])
    backends = _open(args.backends, args.model)
    with contextlib.ExitStack() as stack:
        stage = None
        if args.out is not None:
            stage = stack.enter_context(staged_folder(checked_out(args.out, None)))
        scores = evaluate_suite(backends, args.size or 'full', align, config.min_confidence, stage)
        table = robustness_table.markdown(scores)
        numbers = json.dumps(robustness_table.to_numbers(scores), indent=2)
        if stage is not None:
            write_file(stage / 'robustness.md', table + '\n')
            write_file(stage / 'robustness.json', numbers + '\n')
            write_png(stage / 'reliability.png', reliability_plot(scores))
            write_png(stage / 'edges.png', edge_plot(scores))
    print(numbers if args.json else table)
    return 0


def evaluate_suite(
    backends: Mapping[str, DepthBackend],
    size: str,
    align: Alignment,
    min_confidence: float,
    plots: Path | None,
) -> SuiteScores:
    """Score backends on the robustness suite; print progress on stderr.

    Args:
        backends: by name.
        size: one of SIZES.
        align: how slices are brought into one frame.
        min_confidence: from which a pixel counts as published.
        plots: existing folder to draw the first draw of each scene into, or None.

    Raises:
        SffError: a backend cannot take a scene.
    """
    found: dict[tuple[str, str], list[Comparison]] = {}
    for outcome in run_suite(SIZES[size], backends, align):
        for backend, comparison in outcome.comparisons.items():
            found.setdefault((outcome.name, backend), []).append(comparison)
            wrong = score_row(comparison, min_confidence).wrong
            said = f'{outcome.name} {outcome.draw}, {backend}: published and wrong {wrong:.1%}'
            print(said, file=sys.stderr, flush=True)
        if plots is not None and outcome.draw == 0:
            sheet = scene_sheet(outcome.scene, outcome.estimates, min_confidence)
            write_png(plots / f'{_file_name(outcome.name)}.png', sheet)
    return score_suite({key: joined(parts) for key, parts in found.items()}, min_confidence)


def with_means(rows: Sequence[tuple[str, str, Row]]) -> list[tuple[str, str, Row]]:
    """Add the mean of each backend, where there is more than one stack."""
    stacks = {stack for stack, _, _ in rows}
    if len(stacks) < 2:
        return list(rows)
    backends = dict.fromkeys(backend for _, backend, _ in rows)
    means = [('mean', b, mean_row([row for _, name, row in rows if name == b])) for b in backends]
    return [*rows, *means]


def stack_names(folders: Sequence[Path]) -> list[str]:
    """Name stacks after their folders, with parent folders where these are not unique.

    Raises:
        ConfigError: a folder is given twice.
    """
    paths = [expanded(folder).resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f'{path} is given twice')
    depth, names = 1, [path.name for path in paths]
    while len(set(names)) < len(names):
        depth += 1
        names = ['_'.join(path.parts[-depth:]) for path in paths]
    return names


def _open(names: str, model: str) -> dict[str, DepthBackend]:
    """Open backends by name; 'auto' is named after what it opens, unless that is open already."""
    opened: dict[str, DepthBackend] = {}
    for name in dict.fromkeys(names.split(',')):
        backend = open_backend(name, '' if name == 'peak' else model)
        if name != 'auto':
            opened[name] = backend
        elif all(backend.spec != other.spec for other in opened.values()):
            opened[backend.spec.name] = backend
    return opened


def _file_name(name: str) -> str:
    return re.sub(r'[^\w.-]+', '_', name)


def _shape(stack: RecordedStack) -> tuple[int, int]:
    return stack.intrinsics.height, stack.intrinsics.width


def _draw(
    path: Path, stack: RecordedStack, focus_map: FocusMap, ground_truth: GroundTruth
) -> None:
    sharp = stack.as_8_bit(focus_map.all_in_focus())
    write_png(path, evaluation_plot(sharp, ground_truth.index, focus_map.index))


def _json(rows: Sequence[tuple[str, str, Row]]) -> str:
    """Write the rows and the mean of each backend."""
    table = [{'stack': s, 'backend': b, **to_numbers(row)} for s, b, row in rows]
    means = {
        b: to_numbers(mean_row([row for _, name, row in rows if name == b]))
        for b in dict.fromkeys(backend for _, backend, _ in rows)
    }
    return json.dumps({'rows': table, 'mean': means}, indent=2)
