"""The scale subresource: an autoscaling/v1 Scale as a view on `spec.replicas`.

Pure conversions; the store does the writing. All kinds here keep their replicas at `.spec.replicas` and
`.status.replicas`, as their real definitions say.
"""

from __future__ import annotations

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource

_SHOWN_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_SCALE = Resource("autoscaling", "v1", "scales", "Scale", "scale")


def scale_of(obj: Object) -> Object:
    """The Scale that a client reads."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    shown: Object = {"replicas": status.get("replicas") or 0}
    labels = (spec.get("selector") or {}).get("matchLabels")
    if labels:
        shown["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in _SHOWN_METADATA if key in obj["metadata"]},
        "spec": {"replicas": spec["replicas"]} if "replicas" in spec else {},
        "status": shown,
    }


def replicas_patch(scale: Object, resource: Resource) -> Object:
    """A merge patch of the scaled object, with the Scale's resourceVersion and uid as preconditions; ApiError 422."""
    metadata = scale.get("metadata") or {}
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name = metadata.get("name", "")
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise api_error.bad_request(f"Scale in version v1 cannot be handled: spec.replicas is not a number: {replicas}")
    if replicas < 0 and not resource.custom:  # the schema check has its own message
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise api_error.invalid(_SCALE, name, [("FieldValueInvalid", "spec.replicas", message)])
    preconditions = {key: metadata[key] for key in ("resourceVersion", "uid") if metadata.get(key)}
    return {"metadata": preconditions, "spec": {"replicas": replicas}}
