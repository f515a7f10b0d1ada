"""An embedded Kubernetes API server: enough of the real one for kubectl, client-go and the official Python client.

What it promises is written down as tests (`tests/sim/apiserver`), which a real control plane passes as well. Not there:
admission webhooks, RBAC (every known token may do everything), quotas, CEL rules, protobuf answers, conversion
webhooks.
"""

from conformance.sim.apiserver.server import ApiServer
from conformance.sim.apiserver.storage.watching import Settings

__all__ = ["ApiServer", "Settings"]
