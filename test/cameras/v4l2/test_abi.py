"""Layouts and numbers of V4L2, against a table and against the C headers of this machine."""

from __future__ import annotations

import ctypes
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sff_ros.cameras.v4l2 import abi, ioctl

STRUCTURES = {
    'Capability': 'v4l2_capability',
    'FormatDescription': 'v4l2_fmtdesc',
    'PixelFormat': 'v4l2_pix_format',
    'Format': 'v4l2_format',
    'DiscreteFrameSize': 'v4l2_frmsize_discrete',
    'StepwiseFrameSize': 'v4l2_frmsize_stepwise',
    'FrameSize': 'v4l2_frmsizeenum',
    'Fraction': 'v4l2_fract',
    'StepwiseInterval': 'v4l2_frmival_stepwise',
    'FrameInterval': 'v4l2_frmivalenum',
    'CaptureParameters': 'v4l2_captureparm',
    'StreamParameters': 'v4l2_streamparm',
    'RequestBuffers': 'v4l2_requestbuffers',
    'TimeValue': 'timeval',
    'Buffer': 'v4l2_buffer',
    'ControlQuery': 'v4l2_queryctrl',
    'ControlValue': 'v4l2_control',
}
TABLE = Path(__file__).parents[2] / 'data/v4l2_abi.txt'
C_START = '#include <stddef.h>\n#include <stdio.h>\n#include <linux/videodev2.h>\n'


def fields_of(structure: Any) -> Iterator[tuple[str, int, Any]]:
    """Yield name, offset and type of every named field, of unions' members, too."""
    for name, kind, *_ in structure._fields_:
        is_nameless = name in getattr(structure, '_anonymous_', ())
        if name.startswith('_') and not is_nameless:
            continue
        offset = getattr(structure, name).offset
        if not is_nameless:
            yield name, offset, kind
        if issubclass(kind, ctypes.Union):
            for member, inside, member_kind in fields_of(kind):
                path = member if is_nameless else f'{name}.{member}'
                yield path, offset + inside, member_kind


def is_scalar(kind: Any) -> bool:
    return issubclass(kind, ctypes._SimpleCData)


def is_signed(kind: Any) -> bool:
    return is_scalar(kind) and kind(-1).value < 0


def layout_of(layouts: dict[str, Any], requests: dict[str, Any]) -> dict[str, str]:
    """Return the lines of the table as the driver has them.

    Args:
        layouts, requests: what the modules abi and ioctl define, by name.
    """
    lines = {}
    for name, value in layouts.items():
        if isinstance(value, type) and issubclass(value, ctypes.Structure):
            c_name = STRUCTURES.get(name, name)
            lines[c_name] = str(ctypes.sizeof(value))
            for field, offset, kind in fields_of(value):
                sign = 's' if is_signed(kind) else ''
                lines[f'{c_name}.{field}'] = f'{offset}+{ctypes.sizeof(kind)}{sign}'
        elif name.startswith('V4L2_'):
            lines[name] = f'0x{value:x}'
    for name, value in requests.items():
        if name.startswith('VIDIOC_'):
            assert value.name == name
            lines[name] = f'0x{value.number:x}'
    return lines


def names_of_scalars() -> Iterator[str]:
    """Yield the fields, as in the table, that are one number."""
    for name, c_name in STRUCTURES.items():
        for field, _, kind in fields_of(getattr(abi, name)):
            if is_scalar(kind):
                yield f'{c_name}.{field}'


def table(bits: int) -> dict[str, str]:
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith('#')]
    columns = [line.split() for line in lines]
    return {name: values[-1 if bits == 32 else 0] for name, *values in columns}


def this_machine() -> dict[str, str]:
    return layout_of(vars(abi), vars(ioctl))


def test_layouts_and_numbers_are_those_of_the_table() -> None:
    assert this_machine() == table(8 * ctypes.sizeof(ctypes.c_void_p))


def test_layouts_on_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the C types in use only these depend on the processor.
    for name, kind in (('c_long', 'c_int32'), ('c_ulong', 'c_uint32'), ('c_void_p', 'c_uint32')):
        monkeypatch.setattr(ctypes, name, getattr(ctypes, kind))
    small = runpy.run_path(str(abi.__file__))
    with monkeypatch.context() as patch:
        for name in STRUCTURES:
            patch.setattr(abi, name, small[name])
        requests = runpy.run_path(str(ioctl.__file__))
    assert layout_of(small, requests) == table(32)


@pytest.fixture
def compile_c(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the C compiler on a text."""
    gcc = shutil.which('gcc')
    if gcc is None:
        pytest.skip('no gcc')

    def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / 'abi.c').write_text(text)
        # A time of 32 bits, which some systems of 32 bits replace by one of 64.
        plain = ('-std=gnu11', '-U_TIME_BITS', '-U_FILE_OFFSET_BITS')
        command = (gcc, *plain, *options, 'abi.c')
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_headers_of_this_machine_agree(
    compile_c: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    tried = compile_c(C_START, '-fsyntax-only')
    if tried.returncode:
        pytest.skip(f'no headers: {tried.stderr.splitlines()[0]}')
    scalars = set(names_of_scalars())
    prints = []
    for name in this_machine():
        structure, _, field = name.partition('.')
        if name.startswith('V'):
            prints.append(f'printf("{name} 0x%llx\\n", (unsigned long long)(unsigned int){name});')
        elif not field:
            prints.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
        else:
            kind = f'(((struct {structure} *)0)->{field})'
            sign = f'(__typeof__{kind})-1 < 0 ? "s" : ""' if name in scalars else '""'
            prints.append(
                f'printf("{name} %zu+%zu%s\\n", offsetof(struct {structure}, {field}), '
                f'sizeof {kind}, {sign});'
            )
    body = '\n'.join(prints)
    built = compile_c(f'{C_START}int main(void) {{\n{body}\nreturn 0;\n}}\n', '-o', 'abi')
    assert built.returncode == 0, built.stderr
    printed = subprocess.run((tmp_path / 'abi',), capture_output=True, text=True, check=True)
    assert dict(line.split() for line in printed.stdout.splitlines()) == this_machine()


def test_the_headers_agree_for_32_bits(
    compile_c: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    # Without a C library of 32 bits nothing can be linked, but it can be compiled: all that its
    # headers lack is an empty list of functions.
    (tmp_path / 'gnu').mkdir()
    (tmp_path / 'gnu/stubs-32.h').touch()
    folder = compile_c('', '-print-multiarch').stdout.strip()
    options = ('-m32', '-fsyntax-only', '-I.', '-isystem', f'/usr/include/{folder}')
    tried = compile_c(C_START, *options)
    if tried.returncode:
        pytest.skip(f'no compiler for 32 bits: {tried.stderr.splitlines()[0]}')
    claims = []
    for name, value in table(32).items():
        structure, _, field = name.partition('.')
        numbers = [int(number, 0) for number in re.findall('0x[0-9a-f]+|[0-9]+', value)]
        if name.startswith('V'):
            claims.append(f'(unsigned int){name} == {numbers[0]}u')
        elif not field:
            claims.append(f'sizeof(struct {name}) == {numbers[0]}')
        else:
            claims.append(f'offsetof(struct {structure}, {field}) == {numbers[0]}')
            claims.append(f'sizeof(((struct {structure} *)0)->{field}) == {numbers[1]}')
    asserts = '\n'.join(f'_Static_assert({claim}, "{claim}");' for claim in claims)
    built = compile_c(C_START + asserts, *options)
    assert built.returncode == 0, built.stderr
