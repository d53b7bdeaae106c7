"""encrypt_submission: encrypt the tarball with a passphrase, using OpenSSL, and print the digest to send."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.common import console, paths
from code.common.paths import build_dir
from code.submission.pack import packing
from code.submission.stage import identity


def run(context: Context) -> int:
    """Encrypt build/mlperf_submission.tar.gz and print its digest and the command that decrypts it."""
    who = identity.read(context.request, needed=())
    named = context.request["passphrase_file"] or who.passphrase_file
    path, digest = packing.encrypt(build_dir() / packing.TARBALL, named)
    console.say(f"{paths.shown(path)}: {path.stat().st_size:,} bytes")
    console.say(f"SHA-256 {digest}   <- send the file, this digest and the passphrase separately")
    console.say(f"to decrypt: {packing.decryption_command(path)}")
    return 0


ACTION = OncePerRequest(run)
