"""PURE: the question to the server about an edit, and the newest answer that is about what the edit is now."""

from __future__ import annotations

from emqx_tui.session.views.view import EditPreview


class Preview:
    """Answers come late and out of order; one about an older content is never shown."""

    def __init__(self) -> None:
        self.answer: EditPreview | None = None
        self._first_valid = 0
        """Number of the first question about the present content; 0 while it was not asked."""

    def forget(self) -> None:
        """The content has changed."""
        self.answer, self._first_valid = None, 0

    def asked(self, number: int) -> None:
        """A question about the present content was sent."""
        self._first_valid = self._first_valid or number

    def take(self, answer: EditPreview | None) -> None:
        """Keep an answer that is about the present content."""
        if answer is not None and self._first_valid and answer.number >= self._first_valid:
            self.answer = answer
