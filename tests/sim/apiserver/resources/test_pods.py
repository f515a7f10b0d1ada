"""What only pods have: binding, eviction and the budgets that limit it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sim.apiserver.stand import Answer, Http, pod_body

Eventually = Callable[[Callable[[], bool]], None]


def binding(node: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "x"}, "target": {"kind": "Node", "name": node}}


def eviction(name: str, **options: object) -> dict[str, object]:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}


@pytest.fixture
def waiting(http: Http, pods: str) -> str:
    """Path of a pod that no scheduler looks at."""
    assert http.post(pods, pod_body("x", schedulerName="nobody")).status == 201
    return f"{pods}/x"


def test_binding_gives_a_pod_its_node(http: Http, waiting: str, node: str) -> None:
    name = node.rpartition("/")[2]
    bound = http.post(f"{waiting}/binding", binding(name))
    assert (bound.status, bound.body["status"]) == (201, "Success")
    pod = http.get(waiting).body
    assert pod["spec"]["nodeName"] == name
    conditions = {item["type"]: item["status"] for item in pod["status"]["conditions"]}
    assert conditions["PodScheduled"] == "True"


def test_pod_is_bound_only_once(http: Http, waiting: str, node: str) -> None:
    name = node.rpartition("/")[2]
    http.post(f"{waiting}/binding", binding(name))
    assert http.post(f"{waiting}/binding", binding("another")).status == 409
    assert http.get(waiting).body["spec"]["nodeName"] == name


def test_eviction_deletes_a_pod(http: Http, waiting: str) -> None:
    assert http.post(f"{waiting}/eviction", eviction("x", gracePeriodSeconds=0)).status == 201
    assert http.get(waiting).status == 404


def test_an_evicted_pod_says_so_while_it_terminates(http: Http, pods: str) -> None:
    kept = pod_body("x", schedulerName="nobody")
    kept["metadata"]["finalizers"] = ["example.com/keep"]
    http.post(pods, kept)
    assert http.post(f"{pods}/x/eviction", eviction("x") | {"dryRun": ["All"]}).status == 201
    http.post(f"{pods}/x/eviction", eviction("x"))
    pod = http.get(f"{pods}/x").body
    conditions = {item["type"]: item.get("reason") for item in pod["status"]["conditions"]}

    assert conditions["DisruptionTarget"] == "EvictionByEvictionAPI"
    assert "deletionTimestamp" in pod["metadata"]


def ended(exit_code: int) -> dict[str, object]:
    return {"terminated": {"exitCode": exit_code}}


@pytest.mark.parametrize(
    ("policy", "exit_code", "status"),
    [("Never", 1, 422), ("OnFailure", 0, 422), ("OnFailure", 1, 200), ("Always", 0, 200)],
)
def test_end_of_a_container_is_final_unless_it_may_restart(
    http: Http, pods: str, policy: str, exit_code: int, status: int
) -> None:
    assert http.post(pods, pod_body("x", restartPolicy=policy)).status == 201

    def said(state: dict[str, object]) -> Answer:
        one = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        return http.merge(f"{pods}/x/status", {"status": {"containerStatuses": [one]}})

    assert said(ended(exit_code)).status == 200
    answer = said({"running": {}})
    assert answer.status == status, answer.body["message"]
    if status == 422:
        assert "status.containerStatuses[0].state: Forbidden: may not be transitioned" in answer.body["message"]


def test_pod_has_one_address_of_each_family(http: Http, waiting: str) -> None:
    def addresses(*given: str) -> Answer:
        return http.merge(f"{waiting}/status", {"status": {"podIPs": [{"ip": ip} for ip in given]}})

    assert addresses("10.0.0.1", "fd00::1").status == 200
    answer = addresses("10.0.0.1", "10.0.0.2")
    assert (answer.status, "may specify no more than one IP for each IP family" in answer.body["message"]) == (
        422,
        True,
    )


class TestDisruptionBudget:
    @pytest.fixture
    def budget(self, http: Http, namespace: str, pods: str) -> str:
        """Path of a budget that wants one healthy pod with the label `app`."""
        http.post(pods, {**pod_body("app"), "metadata": {"name": "app", "labels": {"app": "x"}}})
        path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
        assert http.post(path, {"metadata": {"name": "b"}, "spec": spec}).status == 201
        return f"{path}/b"

    def make_ready(self, http: Http, pods: str) -> None:
        ready = {"type": "Ready", "status": "True"}
        http.strategic(f"{pods}/app/status", {"status": {"phase": "Running", "conditions": [ready]}})

    def test_eviction_below_the_budget_is_refused_for_now(
        self, http: Http, pods: str, budget: str, eventually: Eventually
    ) -> None:
        self.make_ready(http, pods)
        eventually(lambda: http.get(budget).body["status"].get("currentHealthy") == 1)
        refused = http.post(f"{pods}/app/eviction", eviction("app"))
        assert (refused.status, refused.reason) == (429, "TooManyRequests")
        assert http.get(f"{pods}/app").status == 200

    def test_pending_pod_is_evicted_all_the_same(self, http: Http, pods: str, budget: str) -> None:
        assert http.get(budget).status == 200
        assert http.post(f"{pods}/app/eviction", eviction("app", gracePeriodSeconds=0)).status == 201

    def test_budget_counts_its_pods(self, http: Http, pods: str, budget: str, eventually: Eventually) -> None:
        self.make_ready(http, pods)
        expected = {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1}
        eventually(lambda: expected.items() <= http.get(budget).body["status"].items())


def test_scale_changes_the_replicas(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    http.post(path, {"metadata": {"name": "x"}, "spec": spec})
    scale = http.merge(f"{path}/x/scale", {"spec": {"replicas": 2}}).body
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)
    assert http.get(f"{path}/x").body["spec"]["replicas"] == 2
