#!/usr/bin/python3
"""Compiles itself into `m.pyc`."""

import py_compile

py_compile.compile(__file__, cfile="m.pyc", doraise=True)
