"""What Pyodide lacks of CPython, and the packages with binaries that it has builds of.

Packages in plain Python need no build. A package may also have its own build for Pyodide on PyPI,
which cannot be told from here.
Source: https://github.com/pyodide/pyodide/releases/tag/0.28.2;
https://github.com/pyodide/pyodide/releases/tag/314.0.6 (pyodide-lock.json);
https://developers.cloudflare.com/workers/languages/python/stdlib/.
"""

from __future__ import annotations

MODULES = frozenset(
    """
    curses dbm ensurepip fcntl grp idlelib lib2to3 msvcrt pty pwd resource syslog termios tkinter
    tty turtle turtledemo venv winreg winsound
    """.split()
)
SOCKETS_FLAGS = ("python_workers_314", "python_workers_20260610")  # sockets came with Python 3.14
READ_ON = "2026-11-30"

_BOTH = frozenset(
    """
    aiohttp argon2-cffi-bindings astropy audioop-lts b2d bcrypt biopython bitarray
    boost-histogram brotli casadi cbor-diag cffi cftime clarabel clingo cobs contourpy coolprop
    coverage crc32c cryptography cysignals cytoolz ewah-bool-utils fiona freesasa frozenlist
    galpy gmpy2 h3 h5py igraph iminuit jiter kiwisolver lakers-python lazy-object-proxy libcst
    lightgbm logbook lxml lz4 markupsafe matplotlib memory-allocator mmh3 msgpack msgspec
    msprime multidict mypy ndindex netcdf4 nh3 nlopt numcodecs numpy opencv-python orjson pandas
    pcodec pi-heif pillow pillow-heif protobuf pyclipper pycryptodome pydantic-core pyerfa
    pyheif pyiceberg pyinstrument pymupdf pynacl pyrsistent pysam pytaglib python-sat
    python-solvespace pywavelets pyxirr pyyaml rasterio rateslib rebound reboundx regex rpds-py
    scikit-image scikit-learn scipy shapely simplejson sisl soundfile sourmash soxr sparseqr
    sqlalchemy statsmodels swiglpk texture2ddecoder tiktoken traits tree-sitter tree-sitter-go
    tree-sitter-java tree-sitter-python tskit ujson wordcloud wrapt xgboost xxhash yarl yt zengl
    zfpy zstandard
    """.split()
)
_ONLY_0_28 = frozenset(
    """
    apsw awkward-cpp blosc2 cramjam css-inline fastparquet gsw imgui-bundle pplpy primecountpy
    python-flint pyxel river robotraconteur rustworkx
    """.split()
)
_ONLY_314 = frozenset(
    """
    bilby-cython bottleneck cartopy crcmod duckdb google-crc32c healpy highspy librt ml-dtypes
    mysqlclient peewee phispy polars psycopg-c pyarrow pygame-ce pymongo pyproj pyroaring
    pyrodigal python-calamine python-flirt safetensors sentencepiece
    """.split()
)


# Some of their wheels have binaries, and one is in plain Python: Pyodide takes that one.
_PLAIN_TOO = frozenset({"charset-normalizer", "propcache", "psycopg", "tomli", "websockets"})


def builds(has_314: bool) -> frozenset[str]:
    """Return the packages of Pyodide 314 (Python 3.14), else those of 0.28 (Python 3.13)."""
    return _BOTH | _PLAIN_TOO | (_ONLY_314 if has_314 else _ONLY_0_28)
