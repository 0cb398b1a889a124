"""A terminal console for blue-green releases of EmqxEnterprise clusters."""

__version__ = "0.1.0"
