"""`python -m conformance.probe`: print the GPUs of this machine as JSON."""

import sys

from conformance.probe.read import main

sys.exit(main())
