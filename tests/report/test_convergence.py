from __future__ import annotations

from conformance.report.convergence import summarised
from conformance.report.observations import Convergence


def test_times_are_summarised_by_model_and_kind_of_change() -> None:
    measured = [
        ("a", "pod-to-running", 4.0),
        ("a", "label-to-success", 1.0),
        ("b", "label-to-success", 9.0),
        ("c", "label-to-success", 2.0),
        ("lost", "label-to-success", 3.0),
    ]

    found = summarised(measured, {"a": "H100", "b": "H100", "c": "A30"})  # type: ignore[arg-type] # literals in a list

    assert found == (
        Convergence(gpu_model="A30", change="label-to-success", n=1, minimum=2, median=2, maximum=2),
        Convergence(gpu_model="H100", change="label-to-success", n=2, minimum=1, median=5, maximum=9),
        Convergence(gpu_model="H100", change="pod-to-running", n=1, minimum=4, median=4, maximum=4),
        Convergence(gpu_model="unknown", change="label-to-success", n=1, minimum=3, median=3, maximum=3),
    )
