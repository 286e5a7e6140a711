"""The command `sff`: one module per verb, loaded on demand."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from sff_ros import __version__
from sff_ros.errors import SffError

# A verb's module has HELP, add_arguments(parser) and run(args) -> exit code.
VERBS = {
    'depth': 'sff_ros.cli.depth',
    'predict': 'sff_ros.cli.predict',
    'demo': 'sff_ros.cli.demo',
    'render': 'sff_ros.cli.render',
    'evaluate': 'sff_ros.cli.evaluate',
    'train': 'sff_ros.cli.train',
    'export': 'sff_ros.cli.export',
    'engine': 'sff_ros.cli.engine',
    'calibrate': 'sff_ros.cli.calibrate',
    'plan': 'sff_ros.cli.plan',
    'doctor': 'sff_ros.cli.doctor',
    'parameters': 'sff_ros.cli.parameters',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `sff` and return its exit code: 0 done, 1 failed, 2 wrong usage (by SystemExit)."""
    # Errors are printed in one line here; OpenCV would add its own. Read when cv2 is loaded.
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'SILENT')
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = _parser(arguments[:1]).parse_args(arguments)
    try:
        code: int = args.run(args)
        return code
    except (SffError, OSError) as err:
        print(f'sff {args.verb}: error: {err}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(first: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser of the given verb, or of all verbs if none is given."""
    parser = argparse.ArgumentParser(
        prog='sff', description='Depth by shape from focus: from a sweep of the lens to metres.'
    )
    parser.add_argument('--version', action='version', version=f'sff {__version__}')
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    for name in [verb for verb in first if verb in VERBS] or VERBS:
        module = importlib.import_module(VERBS[name])
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=getattr(module, 'EPILOG', None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser
