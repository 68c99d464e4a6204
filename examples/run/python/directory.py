#!/usr/bin/python3
"""Makes or removes a directory, in the way that is asked for."""

import os
import shutil
import sys


def look_then_make():
    if not os.path.isdir("a/b"):
        os.makedirs("a/b")


def makedirs():
    os.makedirs("a/b")


def makedirs_exist_ok():
    os.makedirs("a/b", exist_ok=True)


def remove_by_path():
    for name in os.listdir("d"):
        os.remove(os.path.join("d", name))
    os.rmdir("d")


def rmtree():
    shutil.rmtree("d")


globals()[sys.argv[1]]()
