"""`python -m tests.passes [--update]`."""

import sys

from tests.passes import main

sys.exit(main("--update" in sys.argv[1:]))
