"""`python -m validate COMMAND …`: the same words as the nox sessions."""

from __future__ import annotations

import sys

from validate.cli import main

sys.exit(main(sys.argv[1:]))
