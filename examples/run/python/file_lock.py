#!/usr/bin/python3
"""Takes the lock `lock` with a class of a version of filelock, and says "got"."""

import os
import sys

version, name = sys.argv[1:]
folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(folder, "packages", "filelock-" + version))

import filelock

getattr(filelock, name)("lock", timeout=0).acquire()
print("got")
