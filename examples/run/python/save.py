#!/usr/bin/python3
"""Saves a text as the file `f`, in the way that is asked for."""

import os
import sys
import tempfile


def in_place(text):
    with open("f", "w") as file:
        file.write(text)


def fixed_name(text):
    with open("f.tmp", "w") as file:
        file.write(text)
    os.replace("f.tmp", "f")


def own_name(text):
    with tempfile.NamedTemporaryFile("w", dir=".", delete=False) as file:
        file.write(text)
    os.replace(file.name, "f")


globals()[sys.argv[1]](sys.argv[2])
