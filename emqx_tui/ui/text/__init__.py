"""Text on screen: toned spans, units, glyphs, colours, and the box that draws lines."""
