"""The screens of a recorded release."""
