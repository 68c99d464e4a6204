#!/usr/bin/python3
"""Says "got" if it has made the lock file, in the way that is asked for."""

import os
import sys
from pathlib import Path


def exists():
    if os.path.exists("lock"):
        sys.exit("locked")
    open("lock", "w").close()


def exclusive():
    open("lock", "x").close()


def touch():
    Path("lock").touch(exist_ok=False)


try:
    globals()[sys.argv[1]]()
except FileExistsError:
    sys.exit("locked")
print("got")
