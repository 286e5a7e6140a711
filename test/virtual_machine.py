"""A virtual machine to test drivers in: Debian's kernel in QEMU, with the files of the host.

Only installing QEMU needs root rights: the kernel is unpacked into the user's cache. The guest
mounts the root of the host read-only, and one folder of the host to write to.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PACKAGE = 'linux-image-amd64'  # depends on the current kernel
MODULES = ('virtio_pci', '9pnet_virtio', '9p', 'vivid')
KERNEL_OPTIONS = (
    *('console=ttyS0', 'panic=-1', 'quiet', 'loglevel=4', 'mitigations=off'),
    'random.trust_cpu=1',
    # On a busy host the emulated timer fails the kernel's check, which panics.
    'no_timer_check',
)
MEMORY_MB = 1536
# First program of the guest. It loads one virtual camera, which can inject errors.
INIT = """#!/bin/busybox sh
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
while read module; do
    case $module in
        */vivid.ko) options='n_devs=1 node_types=0x1 num_inputs=1 input_types=0' ;;
        *) options= ;;
    esac
    insmod $module $options
done </modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose root /root
for place in dev proc sys; do mount -o move /$place /root/$place; done
mkdir -p /root/dev/shm
mount -t tmpfs none /root/dev/shm
mkdir /root/dev/shm/job
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 job /root/dev/shm/job
ip link set lo up
chroot /root /bin/sh /dev/shm/job/job.sh
poweroff -f
"""


class CannotRunError(Exception):
    """Why no virtual machine can be run."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What QEMU boots."""

    image: Path
    initramfs: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job in the machine ended.

    Attributes:
        problem: empty if the job ended by itself.
        console: output of the kernel and the job.
        seconds: from power on to power off.
    """

    problem: str
    console: str
    seconds: float


def find_qemu() -> str:
    """Return the program of QEMU; install it if that is allowed.

    Raises:
        CannotRunError: it is not installed and cannot be.
    """
    if platform.machine() != 'x86_64':
        raise CannotRunError(f'the virtual machine is for x86_64, not {platform.machine()}')
    program = 'qemu-system-x86_64'
    if shutil.which(program) is None:
        if os.geteuid() != 0 or shutil.which('apt-get') is None:
            raise CannotRunError(f'no {program}: sudo apt install qemu-system-x86')
        current_kernel()  # updates the package lists if they are empty
        install = ('apt-get', 'install', '-y', '--no-install-recommends', 'qemu-system-x86')
        _call(*install, seconds=300)
    return program


def find_kernel() -> Kernel:
    """Return the kernel of the cache; fill the cache if it is empty.

    Raises:
        CannotRunError: this is not Debian, or the download failed.
    """
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    key = hashlib.sha256((INIT + ' '.join(MODULES)).encode()).hexdigest()[:12]
    folder = Path(home) / 'sff_ros' / f'kernel-{key}'
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _fill(Path(scratch))
            ready = Path(scratch) / 'ready'
            if not folder.is_dir():  # no other process was faster
                ready.rename(folder)
    return Kernel(folder / 'vmlinuz', folder / 'initramfs')


def _fill(scratch: Path) -> None:
    """Make kernel and initramfs in a folder `ready`."""
    if shutil.which('apt-get') is None or shutil.which('dpkg') is None:
        raise CannotRunError('no apt-get to download a kernel with')
    packages = (current_kernel(), 'busybox-static')
    _call('apt-get', 'download', *packages, seconds=300, folder=scratch)
    for package in scratch.glob('*.deb'):
        _call('dpkg', '-x', str(package), 'files', seconds=120, folder=scratch)
    files, ready = scratch / 'files', scratch / 'ready'
    ready.mkdir()
    (image,) = files.glob('boot/vmlinuz-*')
    image.rename(ready / 'vmlinuz')
    (ready / 'initramfs').write_bytes(gzip.compress(_initramfs(files), 1))


def current_kernel() -> str:
    """Return the package of the current kernel.

    Raises:
        CannotRunError: apt knows none.
    """
    name = _named_kernel()
    if name is None and os.geteuid() == 0:
        _call('apt-get', 'update', seconds=120)  # a new container has no package lists
        name = _named_kernel()
    if name is None:
        raise CannotRunError(f'apt knows no {PACKAGE}: not Debian, or `apt-get update` is due')
    return name


def _named_kernel() -> str | None:
    """Return the package that PACKAGE depends on; None if apt does not know it."""
    try:
        found = re.search(r'Depends: (linux-image-\S+)', _call('apt-cache', 'depends', PACKAGE))
    except CannotRunError:
        return None
    return found and found[1]


def _initramfs(files: Path) -> bytes:
    """Return the initial file system of the guest: busybox, modules and INIT."""
    known = {path.name.split('.')[0].replace('-', '_'): path for path in files.rglob('*.ko*')}
    content = {'init': INIT.encode()}
    order: list[str] = []
    for name in MODULES:
        _add_module(name, known, content, order)
    content['modules'] = ''.join(f'/{name}.ko\n' for name in order).encode()
    (busybox,) = (path for path in files.rglob('bin/busybox') if path.is_file())
    content['bin/busybox'] = busybox.read_bytes()
    applets = ('mount', 'insmod', 'mkdir', 'ip', 'chroot', 'poweroff')
    links = {f'bin/{name}': b'busybox' for name in applets}
    folders = ('bin', 'dev', 'proc', 'sys', 'root')
    entries = [
        *(_entry(name, 0o040755, b'') for name in folders),
        *(_entry(name, 0o100755, data) for name, data in content.items()),
        *(_entry(name, 0o120777, target) for name, target in links.items()),
    ]
    return b''.join(entries) + _entry('TRAILER!!!', 0, b'')


def _add_module(
    name: str, known: dict[str, Path], content: dict[str, bytes], order: list[str]
) -> None:
    """Add a module after those that it needs; a missing one is built in."""
    if name in order or name not in known:
        return
    data = known[name].read_bytes()
    if known[name].suffix == '.xz':
        data = lzma.decompress(data)
    needs = re.search(rb'\0depends=([^\0]*)\0', data)
    for other in needs[1].decode().split(',') if needs else ():
        _add_module(other.replace('-', '_'), known, content, order)
    content[f'{name}.ko'] = data
    order.append(name)


def _entry(name: str, mode: int, data: bytes) -> bytes:
    """Return one file of a cpio archive, format newc (the kernel's buffer-format.rst)."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b'070701' + b''.join(b'%08x' % value for value in fields) + name.encode() + b'\0'
    return head + b'\0' * (-len(head) % 4) + data + b'\0' * (-len(data) % 4)


def _call(*command: str, seconds: float = 30, folder: Path | None = None) -> str:
    """Return what a command prints.

    Raises:
        CannotRunError: it failed, or took too long.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {'DEBIAN_FRONTEND': 'noninteractive'},
            capture_output=True, text=True, timeout=seconds, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as err:
        last = (err.stderr or err.stdout or '').strip().splitlines()[-1:] or ['no output']
        raise CannotRunError(f'{shlex.join(command)}: {last[0]}') from err
    except (OSError, subprocess.TimeoutExpired) as err:
        raise CannotRunError(f'{shlex.join(command)}: {err}') from err
    return done.stdout


def run_job(qemu: str, kernel: Kernel, script: str, folder: Path, timeout_s: float) -> Outcome:
    """Run a shell script in the virtual machine, emulated.

    Args:
        qemu, kernel: from find_qemu and find_kernel.
        script: runs as root; the root of the host is its own, read-only; it may write to
            /dev/shm, and to `folder` as /dev/shm/job.
        folder: empty; for results of the script.
        timeout_s: the machine is switched off after that.
    """
    (folder / 'job.sh').write_text(f'{script}\necho done >/dev/shm/job/end\n')
    console = folder / 'console.txt'
    share = 'local,security_model=none,multidevs=remap'
    machine = (
        *(qemu, '-accel', 'tcg', '-cpu', 'max', '-smp', '2', '-m', str(MEMORY_MB)),
        *('-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'),
        *('-kernel', str(kernel.image), '-initrd', str(kernel.initramfs)),
        *('-append', ' '.join(KERNEL_OPTIONS)),
        *('-serial', f'file:{console}'),
        *('-virtfs', f'{share},path=/,mount_tag=root,readonly=on'),
        *('-virtfs', f'{share},path={folder},mount_tag=job'),
    )
    start = time.monotonic()
    problem = ''
    try:
        done = subprocess.run(
            machine, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
        if done.returncode:
            problem = f'QEMU: {done.stderr.strip() or done.returncode}'
        elif not (folder / 'end').is_file():
            problem = 'the machine went down before the job ended'
    except subprocess.TimeoutExpired:
        problem = f'the machine was switched off after {timeout_s:g} s'
    text = console.read_text(errors='replace') if console.is_file() else ''
    return Outcome(problem, text, time.monotonic() - start)
