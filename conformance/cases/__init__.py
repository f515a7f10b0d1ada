"""The conformance cases: each reads as the rule that it checks. Nothing else stands here."""
