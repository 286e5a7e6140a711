"""Two processes that save a stack under one name at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from programs import HANG_S
from small_disk import REPOSITORY

from sff_ros.files.stack import read_stack

SAVER = """
import sys, time
from pathlib import Path
import numpy as np
from sff_ros.core.optics.intrinsics import Intrinsics
from sff_ros.core.sweep.lens_state import LensState
from sff_ros.core.sweep.stack import Slice
from sff_ros.errors import StackError
from sff_ros.files import stack
folder, own = Path(sys.argv[1]), int(sys.argv[2])
slices = [Slice(np.full((20, 18), own, np.uint8), LensState(i), i, i, 3) for i in range(3)]
def write(path, image, original=stack.write_png):
    (folder / f'ready_{own}').touch()  # both write before one of them is done
    while len(list(folder.glob('ready_*'))) < 2:
        time.sleep(0.005)
    original(path, image)
stack.write_png = write
try:
    stack.write_stack(folder / 'stack', slices, Intrinsics(18, 20))
    print('saved')
except StackError as err:
    print(err)
"""


def test_of_two_processes_that_save_one_name_one_succeeds(tmp_path: Path) -> None:
    savers = [
        subprocess.Popen(
            [sys.executable, '-c', SAVER, str(tmp_path), str(own)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        )
        for own in (1, 2)
    ]
    said = [saver.communicate(timeout=HANG_S)[0].strip() for saver in savers]
    assert sorted(said) == [f'{tmp_path}/stack: exists already', 'saved']
    stack = read_stack(tmp_path / 'stack')
    assert {int(stack.image(i).max()) for i in range(3)} == {1 + said.index('saved')}
    assert sorted(os.listdir(tmp_path)) == ['ready_1', 'ready_2', 'stack']
