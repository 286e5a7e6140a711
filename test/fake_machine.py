"""A machine on which Python, pip and uname are played by scripts, to try `./run` on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from programs import HANG_S

REPOSITORY = Path(__file__).resolve().parents[1]
TOOLS = ('bash', 'cat', 'cksum', 'cp', 'dirname', 'flock', 'mkdir', 'readlink', 'rm', 'sed')

# Stands for Python: notes its arguments in $CALLS and does what a venv or pip would do.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
    *version_info\\)\\)*) echo 3.11 ;;
    *'ensurepip, venv'*) exit "${NO_VENV:-0}" ;;
    *'-m venv --clear'*)
        rm -rf "$4"
        mkdir -p "$4/bin" "$4/lib/python3.11/site-packages" && cp "$0" "$4/bin/python" ;;
    *'-m pip install'*) exit "${NO_PIP:-0}" ;;
    *'-m sff_ros.cli'*)
        echo "profile=${FASTDDS_DEFAULT_PROFILES_FILE:-} range=$ROS_AUTOMATIC_DISCOVERY_RANGE"
        echo "python=${PYTHONPATH:-} ament=${AMENT_PREFIX_PATH:-} lib=${LD_LIBRARY_PATH:-}" ;;
esac
"""


class Machine(NamedTuple):
    """A copy of the repository's shell, and the programs that its PATH offers."""

    repository: Path
    programs: Path

    def run(
        self, *arguments: str, program: str = 'run', **environment: str
    ) -> subprocess.CompletedProcess[str]:
        env = {'PATH': str(self.programs), 'CALLS': str(self.repository / 'calls'), **environment}
        command = [str(self.repository / program), *arguments]
        return subprocess.run(
            command, env=env, cwd='/', capture_output=True, text=True, timeout=HANG_S, check=False
        )

    def put(self, name: str, script: str) -> Path:
        program = self.programs / name
        program.write_text(script)
        program.chmod(0o755)
        return program

    def calls(self, word: str) -> int:
        """Count the calls of Python whose arguments contain a word."""
        notes = self.repository / 'calls'
        return notes.read_text().count(word) if notes.exists() else 0


def make_machine(tmp_path: Path) -> Machine:
    """Return a machine with all that `./run` needs, in an empty folder."""
    repository, programs = tmp_path / 'a folder', tmp_path / 'bin'
    (repository / 'requirements').mkdir(parents=True)
    programs.mkdir()
    shutil.copy(REPOSITORY / 'run', repository)
    for file in (REPOSITORY / 'requirements').iterdir():
        shutil.copy(file, repository / 'requirements')
    for tool in TOOLS:
        found = shutil.which(tool)
        if found:
            (programs / tool).symlink_to(os.path.realpath(found))
    made = Machine(repository, programs)
    made.put('uname', '#!/bin/sh\necho Linux x86_64\n')
    made.put('python3', FAKE_PYTHON)
    return made
