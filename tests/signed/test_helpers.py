"""The two helpers of the guide, as they are pasted from it: what they sign is good."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from chat.models import Mentor, Tenant

from ..clients import Socket
from ..docs.follower import node
from ..docs.pages import ROOT, blocks
from .signing import FREE, BackEnd, stored

PAGE = ROOT / "docs/integrators/signed-context.md"
PYTHON = """
import sys
print(sign_context({"plan": "free"}, key=sys.argv[1], kid="k1", mentor="demo/coach", algorithm=sys.argv[2],
                   session=sys.argv[3]))
"""
NODE = """
const [key, algorithm, session] = process.argv.slice(-3);
console.log(signContext({ plan: 'free' }, { key, algorithm, kid: 'k1', mentor: 'demo/coach', session }));
"""


def helper(language: str) -> str:
    return next(block.text for block in blocks(PAGE) if block.language == language)


def material(backend: BackEnd) -> str:
    if backend.algorithm == "HS256":
        return str(backend.key)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem: bytes = backend.key.private_bytes(serialization.Encoding.PEM, form, plain)
    return pem.decode()


def signed(command: list[str], program: str, backend: BackEnd, session_id: str) -> str:
    arguments = [material(backend), backend.algorithm, session_id]
    done = subprocess.run(
        [*command, program, "--", *arguments]
        if command[0] != sys.executable
        else [*command, program, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def is_taken(visitor: Socket, token: str) -> None:
    assert visitor.say("One.", metadata_token=token).version == 1
    assert stored() == [(1, FREE, ["plan"])]


def test_the_python_helper(visitor: Socket, backend: BackEnd) -> None:
    program = helper("python") + PYTHON
    is_taken(visitor, signed([sys.executable, "-c"], program, backend, visitor.session_id))


def test_the_node_helper(visitor: Socket, backend: BackEnd) -> None:
    command = node()
    if command is None:
        pytest.skip("Node.js 20.10 or newer is not installed")
    is_taken(visitor, signed(command, helper("js") + NODE, backend, visitor.session_id))


@pytest.mark.parametrize("language", ["python", "js"])
def test_they_are_short(language: str) -> None:
    code = [line for line in helper(language).splitlines() if line.strip()]
    assert len(code) <= 12


def test_the_tenant_of_the_page_has_the_key(demo: Tenant, coach: Mentor) -> None:
    from chat import configuration

    document: Any = next(block.text for block in blocks(PAGE) if block.does == "apply")
    assert configuration.apply(document, environ={}).changed
