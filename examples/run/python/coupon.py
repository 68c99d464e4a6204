#!/usr/bin/python3
"""Redeems the coupon with psycopg2, in the way that is asked for, and says "redeemed"."""

import os
import sys

folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(folder, "packages", "psycopg2-binary-2.9.10"))

import psycopg2


def look_then_update(cursor):
    cursor.execute("SELECT used FROM coupons WHERE id = %s", [1])
    if cursor.fetchone()[0]:
        return False
    cursor.execute("UPDATE coupons SET used = true WHERE id = %s", [1])
    return True


def one_statement(cursor):
    cursor.execute("UPDATE coupons SET used = true WHERE id = %s AND NOT used", [1])
    return cursor.rowcount == 1


with psycopg2.connect(os.environ["DATABASE_URL"]) as connection:
    if globals()[sys.argv[1]](connection.cursor()):
        print("redeemed")
