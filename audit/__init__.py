"""Audit: the ledger, its Merkle tree and checkpoints, and the verifier that stands alone."""
