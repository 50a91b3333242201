"""Builds the optional C module; everything else about the package is in setup.cfg.

The module is built if pkg-config knows OpenSSL, and installing chatd goes on without it if that
fails. `CHATD_PURE=1` leaves it out.
"""

import os
import subprocess

from setuptools import Extension, setup


def flags_of(library: str) -> list[str]:
    """Return pkg-config's flags for a library, none if it is not there."""
    command = ["pkg-config", "--cflags", "--libs", library]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def extensions() -> list[Extension]:
    """Return the C module, unless it is unwanted or cannot be built."""
    openssl = flags_of("libcrypto >= 3")
    if os.environ.get("CHATD_PURE") or not openssl:
        return []
    libdeflate = flags_of("libdeflate")
    if libdeflate:
        libdeflate.append("-DCHATD_LIBDEFLATE")
    flags = [*openssl, *(libdeflate or flags_of("zlib") or ["-lz"])]
    links = [flag for flag in flags if flag.startswith(("-L", "-l", "-Wl"))]
    module = Extension(
        "chatd.wire._envelope",
        ["chatd/wire/_envelope.c"],
        extra_compile_args=[flag for flag in flags if flag not in links],
        extra_link_args=links,
        optional=True,
    )
    return [module]


setup(ext_modules=extensions())
