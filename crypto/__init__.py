"""Cryptography: keys, JOSE, the seal and the signature, each behind a narrow door."""
