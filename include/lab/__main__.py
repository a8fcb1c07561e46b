"""``python -m lab``: serve a library until SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import click

from lab.library import Library
from lab.loads import LIBRARIES
from lab.media import Media
from lab.servers import LOOPBACK, serve


@click.command()
@click.option("--home", type=click.Path(path_type=Path), required=True, help="Where the clips are kept.")
@click.option("--ready-file", type=click.Path(path_type=Path), required=True, help="Gets the addresses, as JSON.")
@click.option("--library", type=click.Choice(list(LIBRARIES)), default="demo", help="What is served.")
@click.option("--host", default=LOOPBACK, show_default=True, help="The address of this machine that it listens on.")
def main(home: Path, ready_file: Path, library: str, host: str) -> None:
    """Serve a library at the addresses that the ready file names.

    The clips may not exist yet. ``GET /lab/ready`` at the provider reports when they do.
    """
    asyncio.run(_run(home, ready_file, LIBRARIES[library](), host))


async def _run(home: Path, ready_file: Path, library: Library, host: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(library, Media(home / "media"), host) as lab:
        making = asyncio.create_task(lab.servers.provider.make_media())
        part = ready_file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(lab.addresses()))
        part.replace(ready_file)
        ending = asyncio.create_task(stop.wait())
        await asyncio.wait([making, ending], return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            making.result()
            await ending
        making.cancel()


main()
