from __future__ import annotations

import re

import pytest
from stack_files import run_python

from sff_ros import __version__
from sff_ros.cli.main import VERBS, main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['--version'])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f'sff {__version__}\n'


def test_help_lists_every_verb_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['--help'])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for verb in VERBS:
        assert re.search(rf'^ +{verb}\s+[A-Z].{{20,}}', text, re.MULTILINE), verb


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'the following arguments are required: VERB'),
        (['dept'], "invalid choice: 'dept'"),
        (['depth'], 'the following arguments are required: FOLDER, --out'),
        (['depth', 'a', '--out', 'b', '--colour'], 'unrecognized arguments: --colour'),
        (['depth', 'a', '--out', 'b', '--min-confidence', 'x'], "invalid float value: 'x'"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_verb_loads_only_its_own_module() -> None:
    done = run_python(
        '-c',
        'import sys, sff_ros.cli.main as m\n'
        "try: m.main(['depth', '--help'])\n"
        'except SystemExit: pass\n'
        "print([n for n in ('rclpy', 'sff_ros.cli.demo', 'sff_ros.nodes') if n in sys.modules])",
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == '[]'


def test_it_runs_as_a_module() -> None:
    done = run_python('-m', 'sff_ros.cli', '--version')
    assert (done.returncode, done.stdout, done.stderr) == (0, f'sff {__version__}\n', '')
