"""Makes the sandbox's schema data, `emqx_tui/sandbox/schema/data/*.json.gz`, out of published documents.

    go mod download -json k8s.io/kubernetes@v1.32.4     # prints the folder as "Dir"
    python -m tests.sandbox.schema.make_schema_data DIR/api/openapi-spec/v3 CRD.yaml...

The CRDs are `config/crd/bases/apps.emqx.io_emqx{enterprises,plugins}.yaml` of emqx-operator 2.2.29. Run by hand, when
the sandbox serves another kind or another version; data/README.md names the sources.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from emqx_tui.sandbox.kube.resources import Resource, standard_resources

Schema = dict[str, Any]

_HERE = Path(__file__).parent
_DATA = Path(__file__).parents[3] / "emqx_tui" / "sandbox" / "schema" / "data"
_SERVED_VERSION = "v1beta4"
_LEFT_OUT = "CustomResourceDefinition"
"""Recursive, and nobody writes one into the sandbox."""


def main(openapi: Path, *definitions: Path) -> None:
    _write("kubernetes", kubernetes_schemas(openapi))
    help_texts = yaml.safe_load((_HERE / "field_help.yaml").read_text())
    _write("emqx", {each["spec"]["names"]["kind"]: each for each in (_definition(p, help_texts) for p in definitions)})


def _write(name: str, content: Any) -> None:
    text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    path = _DATA / f"{name}.json.gz"
    path.write_bytes(gzip.compress(text, 9, mtime=0))
    print(f"{path.name}: {len(text)} bytes, {path.stat().st_size} compressed")


# -- built-in kinds


def kubernetes_schemas(openapi: Path) -> dict[str, Schema]:
    """Schemas by name: the built-in kinds that the sandbox serves, and what they refer to."""
    kept: dict[str, Schema] = {}
    builtin = [each for each in standard_resources() if not each.custom and each.kind != _LEFT_OUT]
    for resource in builtin:
        prefix = "apis" if resource.group else "api"
        path = openapi / f"{prefix}__{resource.group_version.replace('/', '__')}_openapi.json"
        schemas = json.loads(path.read_text())["components"]["schemas"]
        _keep(_name_of(resource, schemas), schemas, kept)
    return kept


def _name_of(resource: Resource, schemas: dict[str, Schema]) -> str:
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    [name] = [name for name, each in schemas.items() if each.get("x-kubernetes-group-version-kind") == [wanted]]
    return name


def _keep(name: str, schemas: dict[str, Schema], kept: dict[str, Schema]) -> None:
    if name not in kept:
        kept[name] = schemas[name]
        for reference in _references(schemas[name]):
            _keep(reference, schemas, kept)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


# -- custom kinds


def _definition(path: Path, help_texts: dict[str, str]) -> dict[str, Any]:
    """A CustomResourceDefinition with the one version that is served, described."""
    definition = yaml.safe_load(path.read_text())
    [version] = [each for each in definition["spec"]["versions"] if each["name"] == _SERVED_VERSION]
    _describe(version["schema"]["openAPIV3Schema"], definition["spec"]["names"]["kind"], help_texts)
    definition["spec"]["versions"] = [version]
    return definition


def _describe(schema: Schema, path: str, help_texts: dict[str, str]) -> None:
    if path in help_texts:
        schema["description"] = help_texts[path]
    for name, child in schema.get("properties", {}).items():
        _describe(child, f"{path}.{name}", help_texts)
    for name, child in schema.get("items", {}).get("properties", {}).items():
        _describe(child, f"{path}.{name}", help_texts)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
