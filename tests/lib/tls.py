"""TLS before a server of the tests, for clients that take nothing else."""
import asyncio
import os
import ssl
import subprocess
import threading

from harness import free_port


def certify(folder, *more):
    """(certificate, key): files in folder, for 127.0.0.1 and localhost; signed by itself. more: further extensions."""
    certificate, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    extensions = ["subjectAltName=IP:127.0.0.1,DNS:localhost", *more]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
                    "-subj", "/CN=localhost", *(word for extension in extensions for word in ("-addext", extension))],
                   check=True, capture_output=True)
    return certificate, key


class TlsDoor:
    """Listens at .port with a certificate of its own (.certificate) for 127.0.0.1 and localhost, and passes on to a port."""

    def __init__(self, port, folder):
        self.port = free_port()
        self.certificate, key = certify(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.behind, listens = port, threading.Event()
        threading.Thread(target=asyncio.run, args=(self._serve(listens),), daemon=True).start()
        listens.wait()

    async def _serve(self, listens):
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port, ssl=self.context)
        listens.set()
        await server.serve_forever()

    async def _pass_on(self, reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
