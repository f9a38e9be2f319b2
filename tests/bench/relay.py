# SPDX-License-Identifier: Apache-2.0
"""A network between two programs of one machine: as long a way as one likes, and as wide as the machine."""
import asyncio
import threading

WINDOW = 8 << 20    # bytes on their way in one direction: more than 100 MB/s at 80 ms


class Direction(asyncio.Protocol):
    """One end of a connection; what comes here leaves at `other` later."""

    def __init__(self, relay):
        self.relay, self.other, self.transport, self.flying, self.paused, self.ended = relay, None, None, 0, False, False
        self.early = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.flying += len(data)
        if self.flying > WINDOW and not self.paused:
            self.paused = True
            self.transport.pause_reading()
        self.relay.loop.call_later(self.relay.delay, self.arrive, data)

    def arrive(self, data):
        if not self.other:    # the other end is still to come
            self.early.append(data)
            return
        self.flying -= len(data)
        if not self.other.transport.is_closing():
            self.other.transport.write(data)
        if self.paused and self.flying < WINDOW and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()

    def eof_received(self):
        return True

    def connection_lost(self, _):
        self.end()

    def end(self):
        if self.other and not self.ended:
            self.ended = True
            self.relay.loop.call_later(self.relay.delay, self.other.transport.close)


class Near(Direction):
    """The client's end. Its first bytes wait for a round trip, since a real connect() would have taken that."""

    def connection_made(self, transport):
        super().connection_made(transport)
        self.relay.count += 1
        self.connecting = self.relay.loop.create_task(self.connect())

    async def connect(self):
        await asyncio.sleep(3 * self.relay.delay)    # there, back, and there again with what is said first
        try:
            _, self.other = await self.relay.loop.create_connection(lambda: Direction(self.relay), "127.0.0.1", self.relay.port_behind)
        except OSError:
            self.transport.abort()
            return
        self.other.other = self
        if self.transport.is_closing():
            self.other.transport.abort()
        for data in self.early:
            self.arrive(data)


class Relay:
    """Listens on `port` for what is at `port_behind`, `seconds` away and as long back. `count` are the connections."""

    def __init__(self, port_behind, seconds):
        self.port_behind, self.delay, self.count = port_behind, seconds, 0
        self.loop = asyncio.new_event_loop()
        server = self.loop.run_until_complete(self.loop.create_server(lambda: Near(self), "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
