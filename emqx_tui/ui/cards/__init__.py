"""Approval cards: what is about to happen, and the word that has to be typed."""
