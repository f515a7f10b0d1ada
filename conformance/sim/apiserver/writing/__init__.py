"""The write path: create, update, patch, apply and delete."""
