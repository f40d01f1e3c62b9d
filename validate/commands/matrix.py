"""`matrix`: targets × workloads as JSON on one line, in the shape that CI systems take a job matrix in."""

from __future__ import annotations

import json

from images.target import debian_names
from results.base.errors import ExitCode
from results.base.events import Events
from results.terminal import Terminal
from validate.options import Options


def run(options: Options, _events: Events, terminal: Terminal) -> int:
    """Print `{"include": [{"target": …, "workload": …}, …]}`."""
    targets = debian_names() if options.targets_defaulted else options.targets
    jobs = [{"target": target, "workload": " ".join(options.workload)} for target in targets]
    terminal.output(json.dumps({"include": jobs}))
    return int(ExitCode.PASS)
