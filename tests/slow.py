"""Tests that take minutes each run only when they are asked for: `make slow`, or `make matrix` for the faults."""

from __future__ import annotations

import os
from typing import Final

import pytest

VARIABLE: Final = "MIG_SLOW_TESTS"
ASKED_FOR: Final = bool(os.environ.get(VARIABLE))
REASON: Final = f"takes minutes: set {VARIABLE}=1, or run `make slow`"
slow = pytest.mark.skipif(not ASKED_FOR, reason=REASON)
