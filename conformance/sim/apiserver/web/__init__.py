"""The HTTP side: what a request asks for, who makes it, and how it is answered."""
