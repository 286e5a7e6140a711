"""Stand-ins for what the launch file uses of `launch` and `launch_ros`, where these are missing.

They carry the logic of a launch description out to the command lines of its processes, as
launch 3.7 and launch_ros 0.29 build them: arguments with defaults and choices, substitutions,
opaque functions, environment, parameter files, names and namespaces. They take only the keywords
that the real ones have; where the real ones are installed a test compares them.

What they do not show: that `ros2 launch` finds package, file and executables; that its processes
are started, respawned, logged and ended by it; events, timers, conditions and other front ends;
how the real ones report an error. Only a workspace with ROS 2 shows that, where the last tests of
test_launch.py run `ros2 launch` itself.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest
from ament_index_python.packages import PackageNotFoundError

FILE = Path(__file__).parents[1] / 'launch' / 'sff.launch.py'


@dataclass
class LaunchContext:
    """What a launch knows: values of its arguments, and the environment of its processes."""

    launch_configurations: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LaunchConfiguration:
    """The value of an argument."""

    variable_name: str

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.variable_name]


Substituted = str | LaunchConfiguration


def text(value: Substituted, context: LaunchContext) -> str:
    """Return what a substitution stands for.

    Raises:
        TypeError: it is none; the real ones refuse a number, too.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, LaunchConfiguration):
        return value.perform(context)
    raise TypeError(f'{value!r} is neither text nor a substitution')


class DeclareLaunchArgument:
    def __init__(
        self,
        name: str,
        *,
        default_value: Substituted | None = None,
        description: str | None = None,
        choices: list[str] | None = None,
    ) -> None:
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(f'default_value "{default_value}" is not in choices "{choices}".')
        self.name = name
        self.default_value = default_value
        self.description = description or ''
        self.choices = choices

    def execute(self, context: LaunchContext) -> None:
        known = context.launch_configurations
        if self.name not in known:
            if self.default_value is None:
                raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
            known[self.name] = text(self.default_value, context)
        if self.choices is not None and known[self.name] not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{known[self.name]}" is not valid. '
                f'Valid options are: {self.choices}'
            )


class OpaqueFunction:
    def __init__(self, *, function: Callable[[LaunchContext], Iterable[Any] | None]) -> None:
        self.function = function

    def execute(self, context: LaunchContext) -> Iterable[Any] | None:
        return self.function(context)


class SetEnvironmentVariable:
    def __init__(self, name: Substituted, value: Substituted) -> None:
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        context.environment[text(self.name, context)] = text(self.value, context)


class LogInfo:
    def __init__(self, *, msg: Substituted) -> None:
        self.msg = msg

    def execute(self, context: LaunchContext) -> None:
        text(self.msg, context)


class Node:
    def __init__(
        self,
        *,
        executable: Substituted,
        package: Substituted,
        name: Substituted | None = None,
        namespace: Substituted | None = None,
        parameters: Sequence[Substituted] | None = None,
        ros_arguments: Sequence[Substituted] | None = None,
        arguments: Sequence[Substituted] | None = None,
        respawn: bool = False,
        respawn_delay: float | None = None,
        output: str = 'log',
    ) -> None:
        self.node_package, self.node_executable = package, executable
        self._name, self._namespace = name, namespace
        self._parameters = list(parameters or ())
        self._ros_arguments = list(ros_arguments or ())
        self._arguments = list(arguments or ())
        self.respawn, self.respawn_delay, self.output = respawn, respawn_delay, output

    def command(self, context: LaunchContext) -> list[str]:
        """Return package, executable and arguments of the process."""
        words = [self.node_package, self.node_executable, *self._arguments]
        words += ['--ros-args', *self._ros_arguments, '--ros-args']
        if self._name is not None:
            words += ['-r', f'__node:={text(self._name, context)}']
        if self._namespace is not None and text(self._namespace, context):
            words += ['-r', '__ns:=/' + text(self._namespace, context).lstrip('/')]
        for file in self._parameters:
            words += ['--params-file', file]
        return [text(word, context) for word in words]


class LaunchDescription:
    def __init__(self, initial_entities: Iterable[Any] | None = None) -> None:
        self.entities = list(initial_entities or ())

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        return [entity for entity in self.entities if isinstance(entity, DeclareLaunchArgument)]


@dataclass(frozen=True, slots=True)
class Process:
    """What a launch starts.

    Attributes:
        command: package, executable, arguments.
        environment: what the launch adds to that of the process.
        respawn: whether it is started again when it ends.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    respawn: bool

    def after(self, option: str) -> list[str]:
        """Return the word after each occurrence of an option."""
        pairs = zip(self.command, self.command[1:], strict=False)
        return [value for word, value in pairs if word == option]


def launch(description: LaunchDescription, **given: str) -> list[Process]:
    """Carry a description out as `ros2 launch FILE NAME:=VALUE ..` does; return what it starts.

    Raises:
        RuntimeError: a value is none of its argument's choices.
    """
    context = LaunchContext(dict(given))
    started: list[Process] = []
    waiting = list(description.entities)
    while waiting:
        entity = waiting.pop(0)
        if isinstance(entity, Node):
            command = tuple(entity.command(context))
            started.append(Process(command, dict(context.environment), entity.respawn))
        else:
            waiting[:0] = entity.execute(context) or ()
    return started


def modules(log_dir: str) -> dict[str, ModuleType]:
    """Return modules by name, for sys.modules."""
    contents: dict[str, tuple[Any, ...]] = {
        'launch': (LaunchContext, LaunchDescription),
        'launch.actions': (DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable),
        'launch.launch_description_entity': (),
        'launch.logging': (),
        'launch.substitutions': (LaunchConfiguration,),
        'launch_ros': (),
        'launch_ros.actions': (Node,),
    }
    made = {name: ModuleType(name) for name in contents}
    for name, classes in contents.items():
        for each in classes:
            setattr(made[name], each.__name__, each)
    entity: Any = made['launch.launch_description_entity']
    entity.LaunchDescriptionEntity = object
    logging: Any = made['launch.logging']
    logging.launch_config = SimpleNamespace(log_dir=log_dir)
    return made


def load() -> ModuleType:
    """Load the launch file as a module, on the modules `launch` that are there."""
    spec = importlib.util.spec_from_file_location('sff_launch', FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_on_stand_ins(monkeypatch: pytest.MonkeyPatch, log_dir: Path) -> ModuleType:
    """Load the launch file on stand-ins, where no other package is installed."""

    def missing(package: str) -> NoReturn:
        raise PackageNotFoundError(package)

    for name, module in modules(str(log_dir)).items():
        monkeypatch.setitem(sys.modules, name, module)
    loaded = load()
    monkeypatch.setattr(loaded, 'get_package_share_directory', missing)
    return loaded
