"""The frame around every screen: app, keys, identity bar, notices, command palette, help."""
