"""Where whole files are kept: a folder, or an S3-compatible store. Half a file is never here.

A file is made in the work folder, on a disk of this machine, and moved when it is whole: by a rename where the
store is a folder, by one upload where it is elsewhere. What a store keeps is named by its export and the fence of
who made it, so that two who believe to hold an export never write one name.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from chat.errors import NotFound

from .models import Export

PIECE = 256 * 1024


class StoreUnavailable(Exception):
    """The store of exports cannot be reached."""


def store() -> Storage:
    return storages["exports"]


def name_of(export: Export, fence: int) -> str:
    return f"{export.id}/{fence}.{export.format}"


def work_folder(export: Export) -> Path:
    """This export's folder for files that are not whole, made if need be."""
    folder = Path(settings.EXPORTS_WORK_DIR) / str(export.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def clear_work(export: Export) -> None:
    shutil.rmtree(Path(settings.EXPORTS_WORK_DIR) / str(export.id), ignore_errors=True)


def put(whole: Path, name: str) -> None:
    """Keep a whole file under this name. Raises OSError of a disk, StoreUnavailable of a store elsewhere."""
    at = store()
    if isinstance(at, FileSystemStorage):
        target = Path(at.path(name))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.rename(whole, target)
        return
    try:
        with whole.open("rb") as file:
            at.save(name, File(file))
    except Exception as error:  # each kind of store has errors of its own
        raise StoreUnavailable from error


def remove(export: Export) -> None:
    """Everything that was stored or begun for this export, by whomever. Safe to run twice.

    Raises OSError or StoreUnavailable.
    """
    clear_work(export)
    try:
        for fence in range(1, export.fence + 1):
            store().delete(name_of(export, fence))
        _remove_folder(export)
    except OSError:
        raise
    except Exception as error:
        raise StoreUnavailable from error


def remove_made(export: Export) -> None:
    """What was made of it so far, whole or begun, and nothing that a later holder makes. Safe to run twice.

    Raises OSError or StoreUnavailable.
    """
    try:
        for fence in range(1, export.fence + 1):
            store().delete(name_of(export, fence))
            (Path(settings.EXPORTS_WORK_DIR) / str(export.id) / f"{fence}.part").unlink(missing_ok=True)
    except OSError:
        raise
    except Exception as error:
        raise StoreUnavailable from error


def remove_others(export: Export, kept: str) -> None:
    """What earlier holders had stored and did not live to tell."""
    for fence in range(1, export.fence):
        if (name := name_of(export, fence)) != kept:
            store().delete(name)


def _remove_folder(export: Export) -> None:
    at = store()
    if isinstance(at, FileSystemStorage):
        shutil.rmtree(at.path(str(export.id)), ignore_errors=True)


def pieces(export: Export) -> Iterator[bytes]:
    """The stored file, piece by piece. Raises NotFound where somebody has taken it away."""
    at: Any = store()
    if not isinstance(at, FileSystemStorage) and hasattr(at, "bucket"):
        return _from_s3(at, export.stored_as)
    try:
        file = at.open(export.stored_as, "rb")
    except FileNotFoundError:
        raise NotFound() from None
    return _from_file(file)


def _from_file(file: Any) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _from_s3(at: Any, name: str) -> Iterator[bytes]:
    """As it comes: django-storages would read the whole of it first."""
    client = at.connection.meta.client
    try:
        body = client.get_object(Bucket=at.bucket_name, Key=posixpath.join(at.location, name))["Body"]
    except client.exceptions.NoSuchKey:
        raise NotFound() from None
    return iter(body.iter_chunks(PIECE))
