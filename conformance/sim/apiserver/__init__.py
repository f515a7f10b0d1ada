"""An embedded Kubernetes API server: enough of the real one for kubectl, client-go and the official Python client.

The tests in `tests/sim/apiserver` define what it supports; a real control plane passes them as well. Not supported:
admission webhooks, RBAC (a user may do everything that `ApiServer.deny` did not take from it), quotas, CEL rules,
protobuf responses and conversion webhooks.

The rooms, from the bottom up: `storage` keeps objects and serves lists and watches, `resources` knows what each
resource looks like, `writing` turns requests into stored objects, `controllers` run beside the server, and `web` speaks
HTTP.
"""

from conformance.sim.apiserver.server import ApiServer, Interruption
from conformance.sim.apiserver.storage.watching import Settings

__all__ = ["ApiServer", "Interruption", "Settings"]
