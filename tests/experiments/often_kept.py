"""`jal`, with a checkpoint every tenth of a second in the place of every half minute: `python often_kept.py sweep ...`.

A sweep's worker processes import this file too, and so have it.
"""

import sys
from functools import partialmethod

from jal.__main__ import main
from jal.training.checkpoint import Checkpoints

Checkpoints.__init__ = partialmethod(Checkpoints.__init__, every=0.1)

if __name__ == "__main__":
    sys.exit(main())
