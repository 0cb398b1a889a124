"""The operator's second controller: EmqxPlugin objects.

Owns their finalizer, their status and the plugin's file in the plugins' ConfigMap. Loading itself is not simulated:
brokers have their plugins from the start, as if the reloader sidecar took no time.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.kube.objects import Key, Object, is_terminating, key_of, matches
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.apply import MANAGER
from emqx_tui.sandbox.timeline import Scheduler

FINALIZER = "apps.emqx.io/finalizer"
_LOADED_AFTER_S = 1.0


class PluginController:
    """Works while `is_up()`; a change that it missed is handled with the next one."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer, is_up: Callable[[], bool]) -> None:
        self._store = store
        self._timeline = timeline
        self._is_up = is_up
        informer.on("emqxplugins", self._on_plugin)

    def _on_plugin(self, event_type: str, plugin: Object) -> None:
        if event_type == "ADDED":
            self._timeline.after(_LOADED_AFTER_S, lambda: self._load(key_of(plugin)))
        elif event_type == "MODIFIED" and is_terminating(plugin) and plugin["metadata"].get("finalizers"):
            self._timeline.after(0.0, lambda: self._load(key_of(plugin)))

    def _load(self, key: Key) -> None:
        plugin = self._store.find("emqxplugins", *key)
        if plugin is None or not self._is_up():
            return
        if is_terminating(plugin):
            self._release(plugin)
            return
        if FINALIZER not in (plugin["metadata"].get("finalizers") or ()):
            metadata = {**plugin["metadata"], "finalizers": [FINALIZER]}
            plugin = self._store.update("emqxplugins", {**plugin, "metadata": metadata}, manager=MANAGER)
        self._store.update(
            "emqxplugins", {**plugin, "status": {"phase": "loaded"}}, manager=MANAGER, subresource="status"
        )
        config = plugin["spec"].get("config") or {}
        file = f"{plugin['spec']['pluginName']}.conf"
        text = "".join(f"{name} = {value}\n" for name, value in sorted(config.items()))
        for cr in self._store.list("emqxenterprises", key[0]):
            if matches(cr["metadata"].get("labels"), plugin["spec"].get("selector") or {}):
                self._write_file(key[0], f"{cr['metadata']['name']}-plugins-config", file, text)

    def _release(self, plugin: Object) -> None:
        metadata = {**plugin["metadata"], "finalizers": []}
        self._store.update("emqxplugins", {**plugin, "metadata": metadata}, manager=MANAGER)

    def _write_file(self, namespace: str, name: str, file: str, text: str) -> None:
        files = self._store.find("configmaps", namespace, name)
        if files is not None and (text or file not in (files.get("data") or {})):
            data = {**(files.get("data") or {}), file: text}
            self._store.update("configmaps", {**files, "data": data}, manager=MANAGER)
