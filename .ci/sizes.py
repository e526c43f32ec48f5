#!/usr/bin/env python3
"""Prints the zip size of each function in a folder (`target/lambda`). Fails if one has more than 6 MB."""

import io
import pathlib
import sys
import zipfile

LIMIT = 6_000_000


def zipped(binary):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.write(binary, "bootstrap")
    return archive.tell()


folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/lambda")
sizes = {path.parent.name: zipped(path) for path in sorted(folder.glob("*/bootstrap"))}
for name, size in sizes.items():
    print(f"{name:15} {size / 1e6:.2f} MB")
if not sizes or max(sizes.values()) > LIMIT:
    sys.exit("a function is larger than it should be, or there is none")
