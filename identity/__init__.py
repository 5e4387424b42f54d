"""Identity: which agency system is asking, and the proof of it (OAuth 2, DPoP)."""
