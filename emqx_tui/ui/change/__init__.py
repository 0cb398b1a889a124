"""The change screen: form and template in step, and what the edit would do."""
