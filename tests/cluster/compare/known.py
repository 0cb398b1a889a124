"""What still differs between sandbox and bed, each with its reason. Nothing else may."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """Differences whose line matches `pattern`."""

    pattern: str
    reason: str
    always: bool = True
    """It shows in every run; otherwise it depends on who of two was faster."""


_NEWER = "the bed's API server is 1.34, the sandbox's 1.32"
_NO_ACCOUNTS = "nothing runs in the sandbox's pods, so they have no service accounts, tolerations and priorities"
_PLUGIN_FILES = "the operator's defaults for 40 plugins that nobody loads are not copied"
_VOLUMES = "the bed has no volume controller, the sandbox binds claims at once"
_TOGETHER = "the sandbox's controllers take what changes in one moment together, the real ones write in between"
_STAND_IN = "two stand-ins for kubelet and scheduler; neither is the real one"
_STATUS_OWNER = (
    "the operator sends its object's annotations with each status, and so owns one that is not written and takes "
    "another from kubectl"
)

KNOWN = (
    Known(r"\.warning: bed .*Endpoints is deprecated", _NEWER),
    Known(r"pods[./].*\.metadata\.generation", _NEWER),
    Known(r"^get persistentvolumeclaims", _VOLUMES + "; newer columns too"),
    Known(r"^pods\..*(kube-api-access|preemptionPolicy|priority|serviceAccount|tolerations)", _NO_ACCOUNTS),
    Known(r"^describe pods: ", _NO_ACCOUNTS),
    Known(r"kube-root-ca\.crt", _NO_ACCOUNTS),
    Known(r"plugins-config", _PLUGIN_FILES),
    Known(r"persistentvolumeclaims/|^persistentvolumeclaims\.", _VOLUMES),
    Known(
        r"emqxenterprises.*managedFields.*(last-applied|f:annotations\.\.|/status\.fieldsV1\.f:metadata)",
        _STATUS_OWNER,
    ),
    Known(r"pods[./].*(kube-scheduler|conditions)", _STAND_IN),
    Known(r"^ask pod condition", "Go prints times that are not set as null"),
    Known(r"^ask endpoints of loopback", "the sandbox's pods live at loopback addresses, so that they can be reached"),
    Known(r"^ask create with version", "a dry run is not refused for it by the real server, a write is"),
    Known(r"^ask list by a bad selector", "malformed selectors are refused in words of our own"),
    Known(r"^ask no such kind", "the real server answers in plain text for an unknown kind of a known group"),
    Known(r"^ask wrong method", "the real server reads the body before it looks at the name"),
    Known(r"^ask who may", "reviews are not stored, so the sandbox tells no owners"),
    Known(r"^ask unknown fields?, strict", "the refusal holds the whole object, whose numbers are each side's own"),
    Known(r"^ask .*body\.metadata\.uid", "of an object that was never made"),
    Known(r"^ask delete with other version", "the number of a version is each side's own"),
    Known(r"^(create|release\w*|scale|delete): (endpoints|endpointslices|statefulsets)/", _TOGETHER),
    Known(r"^\w+: pods/.*\.status", _STAND_IN, False),
    Known(r"^event: .*\(combined from similar events\)", "how many messages came before, within ten minutes", False),
    Known(r"^event: .*Sts not ready", "whether a pass sees a pod that is ending", False),
    Known(r"^order: .*phase of emqx-ee", "whether a pass sees a pod that is ending: both happen on both", False),
    Known(r"^release_by_the_operator_alone: emqxenterprises/emqx-ee: ", "the same race", False),
    Known(
        r"^(scale|release_by_the_console): emqxenterprises/emqx-ee: .*(managedFields|currentStatefulSetVersion)",
        "whether a pass falls between two writes of others",
        False,
    ),
    Known(
        r"endpointslices[./].*generateName",
        "a mirror loses it with its first change, which comes when the operator happens to list pods in another order",
        False,
    ),
)
