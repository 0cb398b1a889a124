"""Users of the sandbox: three, with their tokens and rights.

The users are named like the contexts of the kubeconfig. Tokens are random for each sandbox and never logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from emqx_tui.sandbox.kube.rbac import Rule, User
from emqx_tui.sandbox.kube.resources import Resource

ADMIN = "admin"
NAMESPACE_ONLY = "namespace-only"
READ_ONLY = "read-only"

_ALL = frozenset("*")
_READING = frozenset({"get", "list", "watch"})


@dataclass(frozen=True)
class Accounts:
    """Users by name, and their bearer tokens."""

    users: dict[str, User]
    tokens: dict[str, str] = field(repr=False)

    def by_token(self, token: str) -> User | None:
        for name, expected in self.tokens.items():
            if secrets.compare_digest(token.encode(), expected.encode()):
                return self.users[name]
        return None

    def impersonated(self, user: User, name: str) -> User | None:
        """`name` as `user` may act as it (only the admin may); an unknown user has no rights."""
        if user.name != ADMIN:
            return None
        return self.users.get(name, User(name, ()))


def create_accounts(resources: Iterable[Resource], namespace: str) -> Accounts:
    """Everything; everything in `namespace`; reading everything but secrets."""
    readable = frozenset(
        name
        for resource in resources
        if resource.plural != "secrets" and not resource.virtual
        for name in (resource.plural, *(f"{resource.plural}/{each}" for each in resource.subresources))
    ) | {"pods/log"}
    rules = {
        ADMIN: Rule(_ALL, _ALL, _ALL),
        NAMESPACE_ONLY: Rule(_ALL, _ALL, _ALL, frozenset({namespace})),
        READ_ONLY: Rule(_READING, _ALL, readable),
    }
    users = {name: User(name, (rule,)) for name, rule in rules.items()}
    return Accounts(users, {name: secrets.token_urlsafe(24) for name in users})
