"""What several test folders share: scenes, fakes, terminals, witnesses."""
