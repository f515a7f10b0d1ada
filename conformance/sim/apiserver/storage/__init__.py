"""What the server keeps, and how clients read it: the store, lists and watches."""
