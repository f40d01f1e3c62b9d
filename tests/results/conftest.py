"""Hypothesis without its clock: on a busy host, how long one example takes says nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared-host", deadline=None)
settings.load_profile("shared-host")
