"""`python -m ratchet` is the command `ratchet`."""

import sys

from ratchet.cli import main

sys.exit(main())
