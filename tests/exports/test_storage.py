"""Where files are kept: in a folder, or in a store that speaks S3, with a real server of it on loopback."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from chat.errors import NotFound
from chat.models import Tenant
from exports import storage
from exports.models import Export


@pytest.fixture
def export(demo: Tenant) -> Export:
    return Export.objects.create(tenant=demo, fence=2)


def whole(export: Export, content: bytes = b"a,b\n1,2\n") -> Path:
    """A file that is whole, in the export's work folder."""
    path = storage.work_folder(export) / "2.part"
    path.write_bytes(content)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def stored(export: Export) -> bytes:
    export.stored_as = storage.name_of(export, 2)
    return b"".join(storage.pieces(export))


@pytest.fixture
def folder(settings: Any) -> Path:
    """A store in a folder of this test's own."""
    place: Path = settings.STORAGES["exports"]["OPTIONS"]["location"]
    return place


def use(settings: Any, backend: str, **options: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "exports": {"BACKEND": backend, "OPTIONS": options}}


def test_a_folder_gets_the_file_under_its_name(folder: Path, export: Export) -> None:
    storage.put(whole(export), storage.name_of(export, 2))
    assert (folder / str(export.id) / "2.csv").read_bytes() == b"a,b\n1,2\n"
    assert stored(export) == b"a,b\n1,2\n"
    assert not (storage.work_folder(export) / "2.part").exists()


def test_nobody_else_on_the_machine_reads_it(folder: Path, export: Export) -> None:
    storage.put(whole(export), storage.name_of(export, 2))
    assert mode(storage.work_folder(export)) == 0o700
    assert mode(folder / str(export.id)) == 0o700


def test_it_is_under_no_address_that_is_served_as_it_is(settings: Any) -> None:
    assert settings.EXPORTS_DIR.parent == settings.VAR_DIR
    assert settings.BASE_DIR / "static" not in settings.EXPORTS_DIR.parents


def test_what_is_removed_leaves_nothing_and_may_be_removed_again(folder: Path, export: Export) -> None:
    storage.put(whole(export), storage.name_of(export, 1))
    storage.put(whole(export), storage.name_of(export, 2))
    storage.remove(export)
    storage.remove(export)
    assert [path for path in folder.rglob("*") if path.name != ".work"] == []


def test_a_file_that_somebody_took_away_is_not_found(folder: Path, export: Export) -> None:
    with pytest.raises(NotFound):
        stored(export)


# --- S3


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    one = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    one.start()
    host, port = one.get_host_and_port()
    yield f"http://{host}:{port}"
    one.stop()


@pytest.fixture
def bucket(server: str, settings: Any) -> Any:
    """An empty bucket of a store that is asked over HTTP."""
    keys = {"access_key": "test", "secret_key": "test", "region_name": "eu-central-1"}
    where = {"endpoint_url": server, "addressing_style": "path"}
    use(settings, "storages.backends.s3.S3Storage", bucket_name="carried", location="ours", **keys, **where)
    s3 = boto3.resource(
        "s3",
        endpoint_url=server,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="t",
    )
    made = s3.Bucket("carried")
    made.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield made
    made.objects.all().delete()
    made.delete()


def names(bucket: Any) -> list[str]:
    return [one.key for one in bucket.objects.all()]


def test_a_bucket_gets_the_file_under_its_prefix(bucket: Any, export: Export) -> None:
    storage.put(whole(export), storage.name_of(export, 2))
    assert names(bucket) == [f"ours/{export.id}/2.csv"]
    assert stored(export) == b"a,b\n1,2\n"


def test_a_large_file_comes_from_a_bucket_in_pieces(bucket: Any, export: Export) -> None:
    content = os.urandom(9 * 1024 * 1024)
    storage.put(whole(export, content), storage.name_of(export, 2))
    export.stored_as = storage.name_of(export, 2)
    pieces = list(storage.pieces(export))
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= storage.PIECE


def test_a_bucket_keeps_nothing_that_was_removed(bucket: Any, export: Export) -> None:
    storage.put(whole(export), storage.name_of(export, 1))
    storage.put(whole(export), storage.name_of(export, 2))
    storage.remove(export)
    storage.remove(export)
    assert names(bucket) == []


def test_what_is_not_in_the_bucket_is_not_found(bucket: Any, export: Export) -> None:
    with pytest.raises(NotFound):
        stored(export)


def test_a_store_that_does_not_answer_is_told_as_such(settings: Any, export: Export) -> None:
    keys = {"access_key": "test", "secret_key": "test", "region_name": "eu-central-1"}
    backend = "storages.backends.s3.S3Storage"
    use(settings, backend, bucket_name="carried", endpoint_url="http://127.0.0.1:9", **keys)
    with pytest.raises(storage.StoreUnavailable):
        storage.put(whole(export), storage.name_of(export, 2))
