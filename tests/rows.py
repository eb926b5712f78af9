"""The table of faults: what may go wrong, a row each. `make faults` prints a line per row."""

from __future__ import annotations

from enum import StrEnum


class Row(StrEnum):
    """A row of the table in docs/reliability.md."""

    RUNNER = "kill -9 of the runner at any moment"
    WORKER = "a worker or the fork server killed, a segmentation fault, sys.exit in a plugin"
    HOST_MEMORY = "host memory exhausted"
    DEVICE_MEMORY = "device out of memory"
    DISK = "disk full, short write, I/O error on fsync"
    TWO_RUNNERS = "two runners on one results folder"
    DAMAGED = "torn, garbage, non-UTF-8 or NUL line in a record file"
    SCHEMA = "a record written by a newer schema"
    HANG = "a silent hang, a chatty hang, a grandchild that ignores SIGTERM"
    INTERRUPT = "Ctrl-C once, twice, SIGTERM"
    DIVERGED = "NaN or infinite loss"
    DEGENERATE = "constant predictions, an empty split, a class missing from a subset"
    HUB = "the Hub down, busy, cut off, wrong or gated"
    DEVICE_LOST = "a device lost during a sweep"
    CLOCK = "wall clock set back, daylight saving"
    NOISY = "a worker that prints megabytes, binary, or lines that look like results"
    HALF_DONE = "a report asked for while a sweep is half done"
    CHECKPOINT = "a long trial crashes and goes on from its checkpoint"
    RETRY = "retries: infrastructure once, a trial's own failures on request"
    TRUST = "a suite, a data set or a model from a stranger"
    ODD_FILE = "a data file in another dialect, damaged, or nested without end"
    LINKS = "a link in the results folder"
    FOLDER_GONE = "the results folder removed or renamed while a sweep runs"
    ODD_ROWS = "rows without a label, an answer, a word or a tag"
    CACHE = "an entry of the cache truncated, with bits flipped, or made by other versions"
    CACHE_GONE = "the cache or the scratch folder deleted while a sweep runs"
    STOPPED = "the fork server or a trial is stopped (SIGSTOP), or the whole run is for a while"
    FOLDER = "hostile modules in the current folder"
    OUTPUT = "code that prints, or reads standard input, while the server imports it"
    SECRETS = "secrets in messages, logs and records, however they are written"
    NOTHING_APPLIES = "nothing of a suite applies"
    RESUMED = "other threads, jobs or library versions when a run is resumed"
    HOSTILE = "results from a stranger"
