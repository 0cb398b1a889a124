"""RBAC: rules, their enforcement, and access reviews.

Rules are given with the user; there are no Role objects in the simulated cluster. Texts are those of
`apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, because clients parse them for the missing verb. A list or
watch with the field selector `metadata.name=x` is a request about `x`, as `requestinfo.go` has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.selectors import selected_name
from emqx_tui.sandbox.kube.targets import Target

REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")


@dataclass(frozen=True)
class Rule:
    """One grant; "*" stands for all, `namespaces` None for the whole cluster."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    """Plural names, with the subresource after a slash."""
    namespaces: frozenset[str] | None = None
    names: frozenset[str] | None = None
    """RBAC's resourceNames: only requests about one of these objects; a create is about none."""

    def grants(self, verb: str, group: str, resource: str, namespace: str | None, name: str | None = None) -> bool:
        if self.namespaces is not None and namespace not in self.namespaces:
            return False
        if self.names is not None and name not in self.names:
            return False
        return _has(self.verbs, verb) and _has(self.groups, group) and _has(self.resources, resource)


@dataclass(frozen=True)
class User:
    """An authenticated client."""

    name: str
    rules: tuple[Rule, ...]
    groups: tuple[str, ...] = ("system:authenticated",)

    def may(self, verb: str, group: str, resource: str, namespace: str | None, name: str | None = None) -> bool:
        if verb == "create" and group == "authorization.k8s.io" and resource in REVIEWS:
            return True
        return any(rule.grants(verb, group, resource, namespace, name) for rule in self.rules)


def _has(granted: frozenset[str], wanted: str) -> bool:
    return "*" in granted or wanted in granted


def check_right(user: User | None, verb: str, target: Target, fields: str | None = None) -> None:
    """ApiError 403 unless `user` may; None is the cluster itself. `fields` is the field selector of the request."""
    group = target.resource.group
    namespace = target.namespace
    name = target.name or (selected_name(fields) if verb in ("list", "watch", "deletecollection") else None)
    # Rights on one namespace object are rights in that namespace.
    if target.plural == "namespaces" and target.name:
        namespace = target.name
    if user is None or user.may(verb, group, target.named_resource, namespace, name):
        return
    subject = f'{target.resource.qualified} "{name}"' if name else target.resource.qualified
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    details: Object = {"kind": target.plural}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    raise ApiError(
        403,
        "Forbidden",
        f'{subject} is forbidden: User "{user.name}" cannot {verb} resource "{target.named_resource}"'
        f' in API group "{group}" {scope}',
        details,
    )


def review_access(user: User | None, review: Object) -> Object:
    """A SelfSubjectAccessReview with its status filled in."""
    spec = review.get("spec") or {}
    attributes = spec.get("resourceAttributes")
    if attributes is None:
        # Paths that are not resources (health, version, discovery) are open to all authenticated users.
        allowed = (spec.get("nonResourceAttributes") or {}).get("verb", "get") == "get"
    else:
        resource = attributes.get("resource") or ""
        if attributes.get("subresource"):
            resource = f"{resource}/{attributes['subresource']}"
        verb, group = attributes.get("verb") or "", attributes.get("group") or ""
        namespace, name = attributes.get("namespace") or None, attributes.get("name") or None
        allowed = user is None or user.may(verb, group, resource, namespace, name)
    return _answered("SelfSubjectAccessReview", spec, {"allowed": allowed})


def review_rules(user: User | None, review: Object) -> Object:
    """A SelfSubjectRulesReview: all that `user` may do in the namespace."""
    spec = review.get("spec") or {}
    namespace = spec.get("namespace") or ""
    everything = Rule(frozenset("*"), frozenset("*"), frozenset("*"))
    rules = (everything,) if user is None else user.rules
    listed = [_listed(rule) for rule in rules if rule.namespaces is None or namespace in rule.namespaces]
    reviews = {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": list(REVIEWS)}
    open_paths = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"]
    status = {
        "resourceRules": [*listed, reviews],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": [*open_paths, "/version", "/version/"]}],
        "incomplete": False,
    }
    return _answered("SelfSubjectRulesReview", spec, status)


def _listed(rule: Rule) -> Object:
    listed = {"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources}
    if rule.names is not None:
        listed["resourceNames"] = rule.names
    return {name: sorted(values) for name, values in listed.items()}


def _answered(kind: str, spec: Object, status: Object) -> Object:
    return {"kind": kind, "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": spec, "status": status}
