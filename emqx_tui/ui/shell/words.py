"""PURE: sentences that the app and its first screens say. Words of the rollout screen live in `present_rollout.py`."""

from __future__ import annotations


def too_small(width: int, height: int, min_width: int, min_height: int) -> str:
    return f"This terminal has {width}x{height}; everything fits from {min_width}x{min_height} on."


def read_only_answer(reason: str) -> str:
    return f"Nothing was sent: {reason}"


READ_ONLY_FLAG = "started with --read-only"

QUIT_TITLE = "Leave while driving?"
QUIT_TEXT = (
    "This console drives a release. After you leave, no further step begins; a drain that runs in EMQX goes on to "
    "its end. Start emqx-tui again, here or elsewhere, to carry on."
)
QUIT_WORD = "quit"
QUIT_HINT = "Type quit to leave.   esc stay"

EDITOR_FAILED = "The editor ended with an error; nothing was taken over."

HELP_HINT = "esc closes"


def help_title(area: str) -> str:
    return f"Keys of this screen ({area})"


def help_read_only(reason: str) -> str:
    return f"Greyed keys send nothing: {reason}"


FORM_WAITS_FOR_TEXT = "the template cannot be read: correct it first"
HIDDEN_WITHOUT_ORIGINAL = "a hidden value stands where none was; type the value itself"
NEEDS_SPEC = "spec must stand here, with template and blueGreenUpdate in it"
NEEDS_TEMPLATE = "template must be a map"
MUST_BE_A_MAP = "must be a map"
MUST_BE_WHOLE = "must be a whole number"
NOT_EDITED_HERE = "is not changed here; it would not be sent"
UNKNOWN_PARAMETER = "is no parameter of blueGreenUpdate"


def cannot_be_removed(before: int) -> str:
    return f"cannot be taken away, only changed (it is {before})"


def edit_heading(namespace: str, name: str) -> str:
    return f"# EmqxEnterprise {namespace}/{name}\n# Dots stand for secrets: left as dots, they stay what they are.\n"


SAVE_TITLE = "Save this edit?"
SAVE_HINT = "w save   esc not now"
UNSAVED_STAYS = "There are unsaved changes: esc again drops them."
LOADING_CLUSTER = "◌ Reading the cluster…"
CLUSTER_GONE = "✘ This cluster is not there any more."
EDITOR_UNUSABLE = "This terminal cannot be handed to an editor."


def unreadable_kept(line: int | None, column: int | None, sentence: str) -> str:
    return f"The text is kept, but cannot be read: line {line}, column {column}: {sentence}"
