"""The folder camera: replays a recorded sweep."""

from __future__ import annotations

import time

import numpy as np

from sff_ros.cameras.reach import Recorded
from sff_ros.config.cameras import FolderConfig
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.optics.lens_calibration import CalibrationStatus
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import CameraError, ConfigError
from sff_ros.files.home import expanded
from sff_ros.files.memory import check_room
from sff_ros.files.stack import read_stack

_SAME_POSITION = 1e-6


class FolderCamera:
    """Replays a recorded sweep as if a lens moved through it.

    Its positions are the dioptres of the images in file order, or 0.0, 1.0 .. if these are not
    recorded. 16-bit images are converted to 8 bits, all with the gain that makes the brightest
    pixel of the sweep 255.
    """

    def __init__(self, config: FolderConfig) -> None:
        """Open and check the whole recording.

        Raises:
            ConfigError: no path is given or it cannot be one, or stack.yaml is invalid.
            StackError: the folder holds no sweep (see `read_stack`), or one that takes too much
                memory.
            CalibrationError: intrinsics or lens table of stack.yaml are invalid.
        """
        if not config.path:
            raise ConfigError('folder.path is empty: set it to a folder of images')
        self._stack = read_stack(expanded(config.path))
        pixels = self._stack.as_8_bit(self._stack.image(0))
        # Twice: the last sweep is kept while the next one is taken.
        check_room(len(self._stack.paths), 2 * pixels.nbytes, pixels.shape[:2])
        self._period_s = 1 / config.frame_rate if config.frame_rate else 0.0
        self._due_s = 0.0  # on the monotonic clock
        self._last_ns = 0
        self._closed = False
        focus = self._stack.focus_dpt
        known = self._stack.has_focus
        positions = tuple(map(float, focus if known else range(len(focus))))
        self.intrinsics: Intrinsics = self._stack.intrinsics
        self.reach = Recorded(positions, known)
        self.calibration_status: CalibrationStatus = 'calibrated' if known else 'uncalibrated'
        self.optics = None
        self.ground_truth_m = None

    def capture(self, focus: float, index: int = 0, count: int = 1, sweep: int = 0) -> Slice:
        """Return the image recorded at a position, at the frame rate.

        Raises:
            CameraError: no image was recorded there, or the camera is closed.
            StackError: the file was damaged or removed after the camera was opened.
        """
        if self._closed:
            raise CameraError('the folder camera is closed')
        distances = np.abs(np.array(self.reach.positions) - focus)
        number = int(np.argmin(distances))
        if not distances[number] <= _SAME_POSITION:
            raise CameraError(
                f'no image was recorded at {focus:g}; the nearest is at '
                f'{self.reach.positions[number]:g} ({self._stack.paths[number].name})'
            )
        image = self._stack.as_8_bit(self._stack.image(number))
        lens = self._stack.lens[number]
        return Slice(image, lens, self._next_stamp_ns(), index, count, sweep)

    def close(self) -> None:
        """Refuse further captures; idempotent."""
        self._closed = True

    def _next_stamp_ns(self) -> int:
        """Wait for the next frame's time and return it; stamps strictly increase."""
        time.sleep(max(self._due_s - time.monotonic(), 0.0))
        self._due_s = time.monotonic() + self._period_s
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        return self._last_ns
