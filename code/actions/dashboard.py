"""dashboard: serve the report on loopback while runs go on."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.common import console, paths
from code.common.errors import MissingError
from code.submission.dashboard import HOST, Server, Site
from code.submission.stage import runs


def run(context: Context) -> int:
    """Serve until it is interrupted. MissingError where the port is taken."""
    request = context.request
    root = runs.log_folder(request["log_dir"])
    port = int(request["port"])
    site = Site(root)
    try:
        with Server(site, port) as server:
            console.say(f"runs of {paths.shown(root)}: http://{HOST}:{port}/   (Ctrl-C ends it)")
            server.serve_forever()
    except OSError as error:
        step = "choose another one with --port=N"
        raise MissingError(f"port {port} of {HOST} cannot be used", error.strerror or str(error), step) from error
    except KeyboardInterrupt:
        console.say("ended")
    finally:
        site.close()
    return 0


ACTION = OncePerRequest(run)
