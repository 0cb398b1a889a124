"""Field ownership, server-side apply and strategic merge patch."""
