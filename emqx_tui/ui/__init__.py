"""The screens. They hold no rules and no clients: views come in, intents go out."""
