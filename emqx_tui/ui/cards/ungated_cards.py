"""PURE: the cards of a release without a journal: stop the operator; then adopt the release, or abort it."""

from __future__ import annotations

from collections.abc import Iterator

from emqx_tui.model import units
from emqx_tui.model.owners import Keeps
from emqx_tui.model.workloads import DelaySource
from emqx_tui.rollout.commands import in_context
from emqx_tui.rollout.intents import Adopt, Brake
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.adoption import why_not_aborted, why_not_adopted
from emqx_tui.rollout.ungated.ungated import UngatedRelease, close_valve
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, Way, filled
from emqx_tui.ui.rollout.names import blocked_words
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Tone, line

HOLD, ADOPT, ABORT = "hold", "adopt", "abort"


def renew_brake(view: View | None, _: EditPreview | None) -> Card | None:
    """The card as long as the operator releases by itself and is not held."""
    found = facts.ungated(view) if view else None
    resource = view.snapshot.resource.value if view else None
    if view is None or found is None or resource is None or (closing := close_valve(resource)) is None:
        return None
    rows = (
        ("Now", (line(clean(wording.ungated(found))),)),
        ("Next", (line("the valve is closed: initialDelaySeconds at 31 years; the operator takes no further step"),)),
        ("But", (line((clean(wording.stopped(found)), Tone.WARN)),)),
        ("Then", (line("adopt the release, or abort it: until then nothing moves and nobody drives"),)),
        ("Command", (line((in_context(closing.describe(), view.context), Tone.DIM)),)),
    )
    return Card(
        title="Stop a release that the operator runs by itself",
        rows=filled(rows),
        warning=_owner(view),
        asked=(Asked(HOLD, f"Type {HOLD} to close the valve"),),
        revision=f"brake@{resource.meta.uid}",
        blocked=blocked_words(facts.why_no_intent(view)),
        intent=Brake,
    )


def renew_adoption(view: View | None, _: EditPreview | None) -> Card | None:
    """The card as long as a release has no journal."""
    found = facts.ungated(view) if view else None
    return _adoption(view, found) if view and found else None


def _adoption(view: View, found: UngatedRelease) -> Card:
    not_adopted, not_aborted = why_not_adopted(found), why_not_aborted(found)
    words = [word for word, why_not in ((ADOPT, not_adopted), (ABORT, not_aborted)) if not why_not]
    both = len(words) == 2
    rows = (
        ("Release", (line(clean(_versions(found))),)),
        ("Now", (line(clean(wording.ungated(found))),)),
        (ADOPT, tuple(_adopting(found, not_adopted))),
        (ABORT, tuple(_aborting(found, not_aborted))),
        ("Known", tuple(_known(found))),
        ("Else", (line("esc: nothing is sent; leave the delay as it is"),)),
    )
    return Card(
        title="A release without a journal",
        rows=filled(rows),
        warning=_owner(view),
        asked=(Asked(words[0] if words else ADOPT, f"Type {' or '.join(words)}"),),
        revision=f"adopt@{found.revision}",
        blocked=blocked_words(facts.why_no_intent(view)) or ("" if words else not_adopted),
        intent=lambda by: Adopt(by, found.revision, goes_back=words == [ABORT]),
        other=Way(ABORT, lambda by: Adopt(by, found.revision, goes_back=True)) if both else None,
    )


def _owner(view: View) -> str:
    """A GitOps controller puts back what it owns: with its delay the operator is free again."""
    resource = view.snapshot.resource.value
    found = resource.owners.of("spec.blueGreenUpdate.initialDelaySeconds") if resource else ()
    owners = [owner.manager for owner in found if owner.keeps is Keeps.ALWAYS]
    return f"{clean(owners[0])} owns initialDelaySeconds and puts it back: stop it first" if owners else ""


def _versions(found: UngatedRelease) -> str:
    seen = facts.ungated_versions(found)
    return f"{seen.before or '?'} to {seen.after or '?'}, begun by somebody without a console"


def _adopting(found: UngatedRelease, why_not: str) -> Iterator[Line]:
    if why_not:
        yield line((f"not now: {clean(why_not)}", Tone.WARN))
        return
    yield line(("this console writes a journal and drives: from here on every step waits for its gate", Tone.STRONG))
    if found.evacuated:
        names = clean(", ".join(member.name for member in found.evacuated))
        yield line(f"that approves {names}, which is evacuated already: to its end, then it is scaled away")
    if found.is_listed or not found.is_blue_whole:
        yield line("no canary: a blue address leaves the Service when its node is empty")
    if not found.is_blue_whole:
        yield line("clients that the operator has moved or cut off are not known, and not in the figures")
    if found.template is None:
        yield line((f"no way back then: {clean(found.template_problem)}", Tone.WARN))


def _aborting(found: UngatedRelease, why_not: str) -> Iterator[Line]:
    if why_not:
        yield line((f"not now: {clean(why_not)}", Tone.WARN))
        return
    yield line(("this console writes a journal and goes back to blue at once", Tone.STRONG))
    clients = found.green.live_connections if found.green else 0
    moved = "the clients" if clients is None else units.plural(clients, "client")
    yield line("no client is on green: nobody is moved" if clients == 0 else f"{moved} on green are disconnected again")
    if not found.is_blue_whole:
        yield line("clients that were cut off and gave up do not come back by it")
    if found.blue is not None and found.blue.replicas < found.replicas:
        gone = found.replicas - found.blue.replicas
        yield line(f"{units.plural(gone, 'node')} of blue {'is' if gone == 1 else 'are'} made anew")


_SOURCES = {
    DelaySource.OBJECT: "",
    DelaySource.EVENT: ", by the Event of the console that closed the valve",
    DelaySource.APPLIED: ", as kubectl applied it last: somebody may have changed it since",
    DelaySource.GIVEN: "",
}


def _known(found: UngatedRelease) -> Iterator[Line]:
    delay = found.delay
    if delay is None:
        yield line(("your own initialDelaySeconds: not known; emqx-tui adopt --delay gives it", Tone.WARN))
    else:
        said = "absent" if delay.seconds is None else units.span(delay.seconds)
        yield line(f"your own initialDelaySeconds: {said}{_SOURCES[delay.source]}")
    if found.is_reverted:
        yield line("the template before: the object asks for it again")
    elif found.template is None:
        yield line((f"the template before: not known, {clean(found.template_problem)}", Tone.WARN))
        yield line("emqx-tui abort --template FILE gives it")
    else:
        yield line("the template before: worked out from blue's StatefulSet")
