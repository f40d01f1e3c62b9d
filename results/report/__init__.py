"""Everything that is made from a stored run for people and for CI systems; no machine is needed."""

from results.report.render import render_run as render_run
