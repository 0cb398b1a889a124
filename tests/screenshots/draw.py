"""Draws the pictures in `screenshots/`: the real console on a sandbox, over real sockets, as SVG and PNG.

Run by hand: `.venv/bin/python -m tests.screenshots.draw`, or with the names of films (`release`, `network-resets`) to
draw only theirs; `release.svg` is the recording of the first. Nothing on a picture is staged: each film is one release,
and a picture is taken when the screen says what it is about. World, seed and first instant are fixed; figures still
differ a little from run to run, because the console reads them when its own timers say so.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import resvg_py
from textual.pilot import Pilot

from emqx_tui import runbook
from emqx_tui.adapters.connect import Connection, connect
from emqx_tui.adapters.kubernetes.access import AccessRequest
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.rollout.policy import Policy
from emqx_tui.sandbox.run.runner import Sandbox, prepare
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.scenario import manifest, scenario
from emqx_tui.sandbox.world.world import NOON, World
from emqx_tui.session.engine import Engine, Identity
from emqx_tui.session.options import Options
from emqx_tui.ui.app import ConsoleApp
from tests.screenshots.recording import Frame, recording

FOLDER = Path(__file__).parents[2] / "screenshots"
SPEED = 5.0
SEED = 1
SMALL, LIST, USUAL, LARGE = (80, 24), (100, 24), (120, 36), (200, 50)
NEIGHBOURS_S = 240.0
"""How long before noon the settled cluster gets its neighbours."""
DEADLINE_S = 120.0
HAND_S = 0.12
"""Wall time between two keys of a word: a card refuses what is faster than hands."""
LOOK_EVERY_S = 0.1
SETTLE_S = 0.5
"""Wall time until what a key did is on the screen."""
PIXELS_PER_CELL = 12
FRAME_EVERY_S, FRAME_S = 8.0, 1.2
"""Of a recording: how often a frame is taken while something goes on, and for how long it is shown."""
READ_S = 3.0
"""For how long a frame with something to read is shown."""
CARD = "esc not now"
"""Stands on every card."""
CONTEXT, SERVER = "demo", "sandbox"
HOST = ThisHost("oncall@bastion", "oncall@bastion/4711-1-0a1b2c3d")
FONT_FILES = (
    "FiraCode-Regular.ttf",
    "FiraCode-Bold.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSans.ttf",
)
"""The only fonts on a picture, in this order, so that a glyph which one lacks comes from the next: Braille from the
last."""
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "~/Library/Fonts")


class Studio:
    """One console on one sandbox: keys in, words and pictures out."""

    def __init__(self, pilot: Pilot[int], app: ConsoleApp) -> None:
        self._pilot = pilot
        self._app = app
        self._taken: dict[str, tuple[str, int]] = {}
        """SVG and width in pixels, by name."""
        self._frames: list[Frame] = []

    @property
    def text(self) -> str:
        """What stands on the screen."""
        strips = self._app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    async def shown(self, *words: str) -> None:
        """Wait until all of these stand on the screen. Raises TimeoutError with the screen."""
        await self._until(lambda text: all(each in text for each in words), f"{words} never came")

    async def gone(self, words: str) -> None:
        """Wait until these no longer stand on the screen. Raises TimeoutError with the screen."""
        await self._until(lambda text: words not in text, f"{words!r} never went")

    async def _until(self, is_true: Callable[[str], bool], problem: str) -> None:
        end = monotonic() + DEADLINE_S
        while not is_true(self.text):
            if monotonic() > end:
                raise TimeoutError(f"{problem}:\n{self.text}")
            await self._pilot.pause(LOOK_EVERY_S)

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, word: str) -> None:
        """Key by key, as slow as hands."""
        for key in word:
            await self._pilot.press(key)
            await self._pilot.pause(HAND_S)

    async def open_card(self, key: str) -> None:
        """Open a card and wait until it takes keys; anew when what it shows changed in the meantime."""
        end = monotonic() + DEADLINE_S
        while monotonic() < end:
            await self.press(key)
            await self._pilot.pause(SETTLE_S)
            if CARD not in self.text:
                continue
            await self.gone("read first")
            if "esc closes" not in self.text and "esc, then open" not in self.text:
                return
            await self.press("escape")
            await self.gone(CARD)
        raise TimeoutError(f"no card:\n{self.text}")

    async def approve(self, key: str, word: str) -> None:
        """Open a card and type the word that it asks for."""
        while CARD in self.text or "WAITING FOR YOU" in self.text or "start…" in self.text:
            if CARD not in self.text:
                await self.open_card(key)
            await self.type(word)
            await self.press("enter")
            await self._pilot.pause(SETTLE_S)
            if CARD in self.text:
                await self.press("escape")

    async def frame(self, seconds: float) -> None:
        """The screen as it is, into the recording of this film, for so long."""
        await self._pilot.pause(2 * SETTLE_S)
        self._frames.append((self._export(), seconds))

    async def frames_until(self, *words: str) -> None:
        """A frame every now and then until these stand on the screen. Raises TimeoutError with the screen."""
        end = monotonic() + DEADLINE_S
        while not all(each in self.text for each in words):
            if monotonic() > end:
                raise TimeoutError(f"{words} never came:\n{self.text}")
            await self.frame(FRAME_S)
            for _ in range(round(FRAME_EVERY_S / LOOK_EVERY_S)):
                if all(each in self.text for each in words):
                    break
                await self._pilot.pause(LOOK_EVERY_S)

    def _export(self) -> str:
        width, height = self._app.size
        return without_links(self._app.export_screenshot(title=f"emqx-tui {width}x{height}"))

    async def take(self, name: str, size: tuple[int, int] = USUAL) -> None:
        """A picture at `size`; the screen is as before after it."""
        await self._pilot.resize_terminal(*size)
        await self.shown("LIVE")
        # The plot may be half a second behind the table.
        await self._pilot.pause(2 * SETTLE_S)
        svg = self._export()
        await self._pilot.resize_terminal(*USUAL)
        self._taken[name] = svg, PIXELS_PER_CELL * size[0]

    def develop(self, film: str) -> None:
        """Write the pictures, and the recording under the film's name.

        After the film, since PNGs hold up everything for a while; and all of a film, or none.
        """
        FOLDER.mkdir(exist_ok=True)
        for name, (svg, width) in self._taken.items():
            png = png_of(svg, width)
            (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
            (FOLDER / f"{name}.png").write_bytes(png)
            sys.stderr.write(f"{name}: {len(png) // 1024} KiB\n")
        if self._frames:
            moving = recording(self._frames)
            (FOLDER / f"{film}.svg").write_text(moving, "utf-8")
            sys.stderr.write(f"{film}: {len(self._frames)} frames, {len(moving) // 1024} KiB\n")


def without_links(svg: str) -> str:
    """The picture without fonts from the network: it shows the same to everybody, and asks nobody."""
    return re.sub(r",?\s*url\(\"https?://[^)]*\)\s*format\([^)]*\)", "", svg)


@asynccontextmanager
async def studio(world: World, folder: Path) -> AsyncIterator[Studio]:
    """The console on a sandbox of `world`, opened on the list of clusters."""
    async with Sandbox(world, speed=SPEED, kubeconfig=folder / "kubeconfig") as sandbox:
        access = load_access(AccessRequest(kubeconfig=str(sandbox.kubeconfig_path), all_namespaces=True))

        async def connected() -> Connection:
            return await connect(access, clock_rate=SPEED, host=HOST)

        options = Options(policy=Policy().at_rate(SPEED))
        engine = Engine(Identity(CONTEXT, SERVER, None, access.namespace, HOST.person), connected, options)
        app = ConsoleApp(engine, runbook=runbook.load(None))
        async with app.run_test(size=USUAL) as pilot:
            try:
                yield Studio(pilot, app)
            finally:
                # In a thread: the sandbox, which the engine takes leave of, is served by this loop.
                await asyncio.to_thread(engine.stop)
                await pilot.pause()


def make_world(name: str, subnet: str) -> World:
    """A settled cluster with 100,000 clients, and two neighbours without any."""
    world = scenario(name, seed=SEED, start=NOON - NEIGHBOURS_S, pod_subnet=subnet, prepare=prepare)
    add_neighbours(world)
    return world


def add_neighbours(world: World) -> None:
    """Two more clusters, so that the list of clusters is one."""
    for namespace, name, version in (("mqtt-staging", "emqx-ee", "4.4.15"), ("lab", "emqx-t1", "4.4.24")):
        labels = {"kubernetes.io/metadata.name": namespace}
        world.store.create("namespaces", {"metadata": {"name": namespace, "labels": labels}, "spec": {}})
        made: dict[str, Any] = manifest(name=name, namespace=namespace, version=version)
        world.store.create("emqxenterprises", made, manager="kubectl-client-side-apply")
    world.run_until(NOON)


async def change(on: Studio) -> None:
    """From the list to an edit that the server has judged."""
    await on.shown("emqx-ee", "99,9")
    await on.press("e")
    await on.shown("nothing changed")
    await on.type("4.4.15")
    await on.shown("starts a release", "no release under way")


async def release(on: Studio) -> None:
    """Every picture of a release that goes well, and its recording."""
    await on.shown("emqx-t1", "mqtt-staging", "99,9")
    await on.gone("~")
    await on.take("clusters", LIST)
    await on.frame(READ_S)
    await change(on)
    await on.take("change")
    await on.frame(READ_S)
    await on.open_card("w")
    await on.take("start-card")
    await on.frame(READ_S)
    await on.approve("w", "4.4.15")
    await on.frames_until("WAITING FOR YOU", "cut over")
    await on.take("cut-over-gate")
    await on.frame(READ_S)
    await on.approve("a", "green")
    for node in ("2", "1"):
        await on.frames_until("WAITING FOR YOU", f"-{node} ·")
        await on.open_card("a")
        await on.frame(READ_S)
        await on.approve("a", node)
    await on.shown("to go", "13,")
    await on.take("drain-80x24", SMALL)
    await on.take("drain-200x50", LARGE)
    await on.take("drain")
    await on.frames_until("WAITING FOR YOU", "-0 ·")
    await on.open_card("a")
    await on.take("approval-card")
    await on.frame(READ_S)
    await on.approve("a", "0")
    await on.frames_until("✔ DONE")
    await on.take("done")
    await on.frame(2 * READ_S)


async def network_resets(on: Studio) -> None:
    """The canary on a network that cuts established connections: held, and its address put back."""
    await change(on)
    await on.approve("w", "4.4.15")
    await on.shown("WAITING FOR YOU", "cut over")
    await on.approve("a", "green")
    await on.shown("HELD by check")
    await on.take("auto-hold")


FILMS: dict[str, tuple[str, Callable[[Studio], Awaitable[None]]]] = {
    "release": ("smooth", release),
    "network-resets": ("network-resets", network_resets),
}


def font_files() -> dict[str, Path | None]:
    """Where the fonts of FONT_FILES are; None = nowhere."""
    folders = [folder for name in FONT_FOLDERS if (folder := Path(name).expanduser()).is_dir()]
    return {name: next((file for folder in folders for file in folder.rglob(name)), None) for name in FONT_FILES}


def png_of(svg: str, width: int) -> bytes:
    """The picture, `width` pixels wide."""
    files = [str(file) for file in font_files().values()]
    family = "DejaVu Sans Mono"
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, width=width, font_files=files, skip_system_fonts=True, monospace_family=family
        )
    )


async def draw(names: list[str]) -> None:
    for name in names:
        scene, film = FILMS[name]
        subnet = claim_subnet(random.Random(SEED))
        try:
            with tempfile.TemporaryDirectory() as folder:
                async with studio(make_world(scene, subnet.cidr), Path(folder)) as on:
                    await film(on)
                on.develop(name)
        finally:
            subnet.release()


def main() -> int:
    """Draw; the exit code."""
    names = sys.argv[1:] or list(FILMS)
    if unknown := [name for name in names if name not in FILMS]:
        sys.stderr.write(f"no film {', '.join(unknown)}; there are: {', '.join(FILMS)}\n")
        return 2
    if missing := [name for name, file in font_files().items() if file is None]:
        packages = "apt-get install -y fonts-dejavu-core fonts-firacode"
        sys.stderr.write(f"fonts are missing ({', '.join(missing)}): {packages}\n")
        return 1
    asyncio.run(draw(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
