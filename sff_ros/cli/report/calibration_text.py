"""A lens calibration as text."""

from __future__ import annotations

import numpy as np

from sff_ros.core.calibration.from_board import LensReport
from sff_ros.core.optics.field_curvature import field_map
from sff_ros.core.optics.lens_calibration import LARGEST_RESIDUAL_DPT, LensCalibration


def describe(calibration: LensCalibration) -> list[str]:
    """Return the lines of `sff calibrate show`."""
    k, table = calibration.intrinsics, calibration.table
    lines = [f'calibration status: {calibration.status.upper()}{_why(calibration)}']
    lines += [f'camera: {calibration.device}'] if calibration.device else []
    lines.append(_intrinsics(calibration))
    ends = sorted((table.dioptres[0], table.dioptres[-1]))
    far = f'{1 / ends[0]:.3f} m' if ends[0] > 0 else 'infinity'
    lines.append(
        f'lens: codes {table.codes[0]:.1f} .. {table.codes[-1]:.1f}, '
        f'{1 / ends[1]:.3f} m to {far} ({ends[0]:.3f} .. {ends[1]:.3f} dpt)'
    )
    if table.scales:
        x, y = calibration.centre_px or (k.cx, k.cy)
        growth = 100 * (max(table.scales) / min(table.scales) - 1)
        lines.append(f'breathing: {growth:.2f} % over the table, about ({x:.1f}, {y:.1f}) px')
    else:
        lines.append('breathing: not measured')
    lines.append(f'field curvature: {calibration.field_dpt:+.3f} dpt{_corner(calibration)}')
    lines.append(f'backlash: {calibration.backlash:.2f} codes')
    lines.append(f'settling: {_seconds(calibration.settle_s)}, lag {_seconds(calibration.lag_s)}')
    lines.append('')
    lines.append(f'{"code":>9} {"dioptres":>9} {"metres":>9} {"scale":>8}')
    scales = table.scales or (float('nan'),) * len(table.codes)
    for code, dioptres, scale in zip(table.codes, table.dioptres, scales, strict=True):
        metres = 1 / dioptres if dioptres else float('inf')
        lines.append(f'{code:9.1f} {dioptres:9.4f} {metres:9.4f} {scale:8.5f}')
    return lines


def describe_fit(report: LensReport) -> list[str]:
    """Return the fit quality of each sweep; sweeps that do not fit are marked."""
    fit, points, poses = report.fit, report.points, report.poses
    lines = [
        f'{len(points.codes)} corners of {len(report.names)} sweeps; '
        f'{int(np.count_nonzero(~fit.inside))} outliers; residual {fit.rms_dpt:.4f} dpt rms '
        f'(a straight line: {fit.linear_rms_dpt:.4f})',
        f'board: {poses.rms_px:.3f} px rms; focal length known to {100 * poses.focal_error:.2f} %',
        '',
        f'{"sweep":<24} {"corners":>7} {"outliers":>8} {"metres":>15} {"error, dpt":>11}',
    ]
    for number, name in enumerate(report.names):
        mine = points.sweep == number
        if not mine.any():
            lines.append(f'{name:<24} {0:>7}          no corner was sharpest inside the sweep')
            continue
        depth_m = 1 / points.dioptres[mine]
        span = f'{depth_m.min():.3f} .. {depth_m.max():.3f}'
        out = int(np.count_nonzero(~fit.inside[mine]))
        error = float(np.median(fit.error_dpt[mine]))
        # The sweep contradicts the others: the board moved or was bent.
        odd = '  <- does not fit the others' if abs(error) > LARGEST_RESIDUAL_DPT else ''
        count = int(np.count_nonzero(mine))
        lines.append(f'{name:<24} {count:>7} {out:>8} {span:>15} {error:>+11.4f}{odd}')
    lines += [f'{name:<24}       0          no board detected' for name in report.unseen]
    return lines


def _why(calibration: LensCalibration) -> str:
    if calibration.residual_dpt is None:
        return ' (not measured)'
    return f' ({calibration.residual_dpt:.4f} dpt rms around the table)'


def _intrinsics(calibration: LensCalibration) -> str:
    k = calibration.intrinsics
    if not k.is_calibrated:
        return f'intrinsics: unknown ({k.width}x{k.height})'
    distorted = ', '.join(f'{d:.4g}' for d in k.distortion)
    return (
        f'intrinsics: {k.width}x{k.height}, f {k.fx:.2f} {k.fy:.2f} px, '
        f'centre {k.cx:.2f} {k.cy:.2f} px' + (f', distortion {distorted}' if distorted else '')
    )


def _corner(calibration: LensCalibration) -> str:
    k = calibration.intrinsics
    if not k.is_calibrated:
        return ' at tan = 1'
    corner = field_map(k, calibration.field_dpt)[0, 0]
    return f' at tan = 1, {corner:+.3f} dpt in the image corner'


def _seconds(value: float | None) -> str:
    return 'not measured' if value is None else f'{value * 1e3:.1f} ms'
