"""What the project says of itself outside the code: CI, hooks, versions, the walk through it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import sff_ros

REPOSITORY = Path(__file__).resolve().parents[1]
GITHUB = REPOSITORY / '.github'
WORKFLOWS = sorted((GITHUB / 'workflows').glob('*.yml'))


def read(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text())


def requirements(name: str) -> dict[str, str]:
    """Return {distribution: bounds} of a file of requirements/."""
    lines = (REPOSITORY / 'requirements' / name).read_text().splitlines()
    pairs = (re.fullmatch(r'([\w.-]+)([<>=].*)', line) for line in lines)
    return {pair[1]: pair[2] for pair in pairs if pair}


def test_the_release_is_dated_everywhere() -> None:
    citation = read('CITATION.cff')
    assert citation['version'] == sff_ros.__version__
    changelog = (REPOSITORY / 'CHANGELOG.rst').read_text()
    heads = re.findall(r'^(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)\n-+$', changelog, re.MULTILINE)
    assert heads[0] == (sff_ros.__version__, citation['date-released'])
    assert heads == sorted(heads, reverse=True)


def test_hooks_install_what_the_tests_use() -> None:
    (local,) = read('.pre-commit-config.yaml')['repos']
    known = {**requirements('package.txt'), **requirements('ros.txt'), **requirements('test.txt')}
    hooks = {hook['id']: hook for hook in local['hooks']}
    assert set(hooks) == {'ruff-check', 'ruff-format', 'mypy', 'codespell'}
    for hook in hooks.values():
        assert hook['language'] == 'python'
        assert hook['entry'].split()[0] in {'ruff', 'mypy', 'codespell'}
        for line in hook['additional_dependencies']:
            name = re.split('[<>=]', line)[0]
            assert line == name + known[name], hook['id']


@pytest.mark.parametrize('file', WORKFLOWS, ids=lambda file: file.name)
def test_workflows_run_what_is_there(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow['permissions'] == {'contents': 'read'}
    for name, job in workflow['jobs'].items():
        assert job['timeout-minutes'] <= 60, name
        for step in job['steps']:
            assert ('run' in step) != ('uses' in step), step
    named = re.findall(r'(?<!/)\b((?:\.ci|requirements|examples)/[\w./]+)', file.read_text())
    named += re.findall(r'\btest/data/\w+', file.read_text())
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_ci_covers_what_is_promised() -> None:
    ros, python = read('.github/workflows/ros.yml'), read('.github/workflows/python.yml')
    distros = ros['jobs']['colcon']['strategy']['matrix']['distro']
    assert distros == ['humble', 'jazzy', 'kilted']
    names = re.search(r'names=\(python3 (.*)\)', (REPOSITORY / 'run').read_text())
    assert names
    supported = sorted(re.findall(r'3\.\d+', names[1]))
    for job in ('test', 'package'):
        assert python['jobs'][job]['strategy']['matrix']['python'] == supported
    declared = (REPOSITORY / 'QUALITY_DECLARATION.md').read_text()
    assert all(distro.capitalize() in declared for distro in distros)
    assert f'Python {supported[0]} to {supported[-1]}' in declared


def test_the_oldest_versions_are_tested() -> None:
    promised, oldest = requirements('package.txt'), requirements('oldest.txt')
    assert promised['numpy'].startswith(f'>={oldest["numpy"].removeprefix("==")},')
    opencv = oldest['opencv-contrib-python-headless'].removeprefix('==')
    low = promised['opencv-python-headless'].split(',')[0].removeprefix('>=')
    assert opencv.startswith(f'{low}.')
    assert oldest['pytest'] == '==6.2.5'
    # pytest 6 stops at a setting that it does not know.
    assert '\npythonpath' not in (REPOSITORY / 'setup.cfg').read_text()


def test_the_walk_passes_every_room() -> None:
    text = (REPOSITORY / 'CONTRIBUTING.md').read_text()
    first_cells = re.findall(r'^\| (`.*?) \|', text, re.MULTILINE)
    rooms = {name.rstrip('/') for cell in first_cells for name in re.findall(r'`(.+?)`', cell)}
    package = REPOSITORY / 'sff_ros'
    folders = {file.parent.relative_to(package).as_posix() for file in package.glob('*/**/*.py')}
    files = {file.name for file in package.glob('*.py')}
    families = {name for name in folders if name.startswith(('cameras/', 'inference/'))}
    assert (folders - families) | files == rooms
    named = re.findall(r'`((?:test|docs|sff_ros|requirements)/[\w./]+)`', text)
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_templates_are_forms() -> None:
    for name in ('bug_report', 'feature_request'):
        form = read(f'.github/ISSUE_TEMPLATE/{name}.yml')
        assert {'name', 'description', 'body'} <= form.keys()
        assert all({'type', 'id', 'attributes'} <= field.keys() for field in form['body'])
    for name in ('PULL_REQUEST_TEMPLATE.md', 'dependabot.yml'):
        assert (GITHUB / name).is_file()
