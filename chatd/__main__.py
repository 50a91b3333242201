"""`python -m chatd` is the `chatd` command."""

import sys

from chatd.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
