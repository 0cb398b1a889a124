"""The console without a screen: releases driven from a script, and single commands from a second terminal."""
