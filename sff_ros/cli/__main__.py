"""Run the command line as `python -m sff_ros.cli`."""

import sys

from sff_ros.cli.main import main

sys.exit(main())
