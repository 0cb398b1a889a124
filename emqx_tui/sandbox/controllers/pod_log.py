"""What a container has written: a few lines as a broker writes them, made from the pod's status.

Pure. A container that has never run has no log, and the kubelet says why.
"""

from __future__ import annotations

from emqx_tui.sandbox.kube.api_error import bad_request
from emqx_tui.sandbox.kube.objects import Object, is_condition_true


def container_log(pod: Object, container: str = "", *, previous: bool = False, tail: int | None = None) -> str:
    """The log of one container, the first one by default; ApiError 400 where there is none."""
    names = [each["name"] for each in pod["spec"]["containers"]]
    wanted, name = container or names[0], pod["metadata"]["name"]
    if wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    statuses = pod["status"].get("containerStatuses") or ()
    status = next((each for each in statuses if each["name"] == wanted), None)
    state = status["state"] if status else {"waiting": {"reason": "ContainerCreating"}}
    if previous and not (status and status["restartCount"]):
        raise bad_request(f'previous terminated container "{wanted}" in pod "{name}" not found')
    if reason := state.get("waiting", {}).get("reason"):
        why = {
            "ContainerCreating": "ContainerCreating",
            "ImagePullBackOff": "trying and failing to pull image",
            "ErrImagePull": "image can't be pulled",
        }
        raise bad_request(f'container "{wanted}" in pod "{name}" is waiting to start: {why.get(reason, reason)}')
    lines = _lines(pod, state.get("running", {}).get("startedAt", ""))
    shown = lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
    return "".join(f"{line}\n" for line in shown)


def _lines(pod: Object, started_at: str) -> list[str]:
    lines = [f"{started_at} [info] Starting emqx on node emqx-ee@{pod['metadata']['name']}"]
    if is_condition_true(pod, "ContainersReady"):
        lines += [
            f"{started_at} [info] Start mqtt:tcp:external listener on 0.0.0.0:1883 successfully.",
            f"{started_at} [info] Start http:management listener on 8081 successfully.",
            f"{started_at} [info] EMQX Enterprise is running now!",
        ]
    return lines
