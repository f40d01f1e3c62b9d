"""Transactions that have to be on the disk, in a database made like the daemon's. Runs in the machine."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing

from validate.guest import system
from validate.guest.probing import World

Raw = dict[str, list[float]]
COMMITS = 40


def measure(_world: World) -> Raw:
    """CPU in microseconds of each transaction, and what reached the disk for all of them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="dots-perf-") as folder:
        path = os.path.join(folder, "family.db")  # noqa: PTH118
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at REAL, comm TEXT)")
            before = flushes(path)
            taken = [commit(database, number) for number in range(COMMITS)]
            return {"db.commit": taken, "db.flushes": [(flushes(path) - before) / COMMITS]}


def commit(database: sqlite3.Connection, number: int) -> float:
    """One row, durable. CPU time and not the clock: how long the disk takes is not ours to tell."""
    start = time.process_time_ns()
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO events (at, comm) VALUES (?, ?)", (float(number), "true"))
    database.execute("COMMIT")
    return (time.process_time_ns() - start) / 1e3


def flushes(path: str) -> int:
    """How often the disk under `path` was told to make everything durable."""
    device = os.stat(path).st_dev  # noqa: PTH116
    fields = system.read(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/../stat").split()
    return int(fields[15])
