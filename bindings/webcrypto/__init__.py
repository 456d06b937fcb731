"""`crypto.subtle` of Python workers, by the package cryptography: ciphers, signatures, keys."""
