"""The command `bench`; each of its commands is a file of `bench.commands`."""

from __future__ import annotations

import io
import signal
import sys

import click

from bench.command_group import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="retrain-bench", prog_name="bench")
def main() -> None:
    """Must this pretrained model be trained again for your task, and how?

    \b
    bench init reviews.csv > reviews.yaml   a commented suite to start from
    bench plan reviews.yaml                 what would run
    bench run reviews.yaml --smoke          everything once, in minutes
    bench run reviews.yaml                  the experiment; run again to go on
    bench report results/                   tables and figures

    Shell completion: eval "$(_BENCH_COMPLETE=bash_source bench)" (or zsh_source, fish_source).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's way of saying Ctrl-C
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a terminal's that is closed; nohup has it ignored
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names may hold what the terminal's encoding does not
