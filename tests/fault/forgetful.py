# SPDX-License-Identifier: BSD-2-Clause
"""A block device that forgets what was not flushed, and fails when it is told to: an NBD server.

    with Forgetful("store.img") as device:
        with Machine(..., store=device.url) as machine:
            ...
            device.freeze()
            machine.cut_power()
        device.lose_power(random, share=0.5)

Writes go to the file at once, and what they replace is remembered until the next flush. When power
is lost, any of the sectors written since then may have what was there before: none, some or all.
Protocol: NetworkBlockDevice/nbd, doc/proto.md; fixed newstyle, simple replies, one connection.
"""

import os
import pathlib
import shutil
import socket
import struct
import tempfile
import threading

SECTOR = 512
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
EIO = 5

GREETING = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)  # fixed newstyle, no zeroes
OPTION_REPLY = 0x3E889045565A9
REQUEST, REPLY = 0x25609513, 0x67446698
OPTION_EXPORT_NAME, OPTION_ABORT, OPTION_GO = 1, 2, 7
ACK, INFO, UNSUPPORTED = 1, 3, 0x80000001
HAS_FLAGS, IS_READ_ONLY, HAS_FLUSH = 1, 2, 4


class Forgetful:
    """A device from `with` to its end. `watch(op, sector, data)` sees what was done, data being
    what was written. `fault(op, sector, sectors)` says whether it fails instead. A flush takes
    `flush_seconds`."""

    def __init__(self, path, watch=None, fault=None, flush_seconds=0, read_only=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="toklat-"))
        self.url = f"nbd:unix:{self.folder}/socket"
        self.watch = watch or (lambda op, sector, data: None)
        self.fault = fault or (lambda op, sector, sectors: False)
        self._file = os.open(path, os.O_RDWR)
        self._bytes = os.fstat(self._file).st_size
        self._flags = HAS_FLAGS | HAS_FLUSH | (IS_READ_ONLY if read_only else 0)
        self._before = []  # (offset, bytes) that writes since the last flush replaced
        self._flush_seconds = flush_seconds
        self._cut = threading.Event()
        self._idle = threading.Event()
        self._idle.set()

    def __enter__(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.folder}/socket")
        self._listener.listen(1)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._idle.wait(10)
        os.close(self._file)
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self):
        """Nothing is done and answered any more until lose_power."""
        self._cut.set()

    def lose_power(self, random, share):
        """Once the machine is gone: of the sectors that were not flushed, about this share stays.
        Returns how many are as before."""
        assert self._idle.wait(10), "the device is still in use"
        lost = 0
        for offset, before in reversed(self._before):
            for at in range(0, len(before), SECTOR):
                if random.random() >= share:
                    os.pwrite(self._file, before[at:at + SECTOR], offset + at)
                    lost += 1
        self._before = []
        self._cut.clear()
        return lost

    def _accept(self):
        while True:
            try:
                link = self._listener.accept()[0]
            except OSError:
                return
            self._idle.clear()
            try:
                with link, link.makefile("rb") as stream:
                    if self._negotiate(link, stream):
                        self._serve(link, stream)
            except (OSError, EOFError):
                pass  # the machine is gone
            self._idle.set()

    @staticmethod
    def _take(stream, layout):
        data = stream.read(struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise EOFError
        return struct.unpack(layout, data)

    def _negotiate(self, link, stream):
        link.sendall(GREETING)
        self._take(stream, ">I")
        while True:
            _, option, length = self._take(stream, ">8sII")
            stream.read(length)
            size = struct.pack(">QH", self._bytes, self._flags)
            if option == OPTION_EXPORT_NAME:
                link.sendall(size)
                return True
            if option == OPTION_GO:
                self._answer_option(link, option, INFO, struct.pack(">H", 0) + size)
            known = option in (OPTION_GO, OPTION_ABORT)
            self._answer_option(link, option, ACK if known else UNSUPPORTED)
            if known:
                return option == OPTION_GO

    @staticmethod
    def _answer_option(link, option, kind, data=b""):
        link.sendall(struct.pack(">QIII", OPTION_REPLY, option, kind, len(data)) + data)

    def _serve(self, link, stream):
        while True:
            _, _, op, handle, offset, length = self._take(stream, ">IHHQQI")
            data = stream.read(length) if op == WRITE else b""
            if op == DISCONNECT or (op == WRITE and len(data) < length):
                return
            if op == FLUSH:
                self._cut.wait(self._flush_seconds)
            if self._cut.is_set():
                continue
            failed = self.fault(op, offset // SECTOR, length // SECTOR)
            answer = b"" if failed else self._do(op, offset, length, data)
            # Of what is written whoever watches knows as soon as it is there; of a flush and of a
            # read after the answer, so that it never claims too much.
            if op == WRITE and not failed:
                self.watch(op, offset // SECTOR, data)
            link.sendall(struct.pack(">IIQ", REPLY, EIO if failed else 0, handle) + answer)
            if op != WRITE and not failed:
                self.watch(op, offset // SECTOR, data)

    def _do(self, op, offset, length, data):
        if op == READ:
            return os.pread(self._file, length, offset).ljust(length, b"\0")
        if op == WRITE:
            self._before.append((offset, os.pread(self._file, length, offset)))
            os.pwrite(self._file, data, offset)
        if op == FLUSH:
            self._before = []
        return b""
