"""The HTTP side: requests, authentication, verbs, responses, and the documents that describe the API."""
