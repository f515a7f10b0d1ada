"""Every way to change what is stored: creating, updating, patching, applying and deleting."""
