"""What a session sends: commands of a release, and edits of the custom resource with their preview."""
