"""What the shop stands on, made before its event loop work begins: ports, certificates, worker processes."""

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

from probe.demo import certificates
from probe.demo.crew import Crew, PlanFor
from probe.demo.plan import WORKERS
from probe.demo.sockets import DatagramDoor, Door, block_doors, dns_doors

_INNER: Final = ("balancer", "balancer-tls", "database", "cache", "cdn-tls", "third-party-tls")


class Ground:
    """Ports, certificates and processes. Everything here blocks: make and close it in a thread."""

    def __init__(self, port: int | None) -> None:
        self.doors: dict[str, Door] = {}
        self.workers: list[Door] = []
        self._folder: Path | None = None
        self._crew: Crew | None = None
        self._datagrams: DatagramDoor | None = None
        try:
            self.doors.update(block_doors(port))
            self.doors["dns"], self._datagrams = dns_doors(self.doors["dns"], fixed=port is not None)
            for service in _INNER:
                self.doors[service] = Door(service)
            self.workers.extend(Door(f"app-{number + 1}") for number in range(WORKERS))
            self._folder = Path(tempfile.mkdtemp(prefix="probe-demo-"))
            # Before the certificates, because it takes the longest: they are made meanwhile.
            self._crew = Crew.launch(self._plan(self._folder), self.workers)
            self._authority = certificates.Authority(self._folder)
            self.ca = self._authority.ca
            self.first_certificate = self.certificate()
            self.side_certificate = self._authority.issue(certificates.SIDE_NAMES)
        except BaseException:
            self.close()
            raise

    @property
    def crew(self) -> Crew:
        """The app workers."""
        assert self._crew is not None
        return self._crew

    @property
    def datagrams(self) -> DatagramDoor:
        """The name server's UDP port."""
        assert self._datagrams is not None
        return self._datagrams

    def certificate(self, *, expired: bool = False, wrong: bool = False) -> Path:
        """A certificate for the shop, good or bad."""
        names = certificates.WRONG_NAMES if wrong else certificates.SHOP_NAMES
        return self._authority.issue(names, expired=expired)

    def close(self) -> None:
        """Give everything back."""
        if self._crew is not None:
            self._crew.kill()
        for door in (*self.doors.values(), *self.workers):
            door.close()
        if self._datagrams is not None:
            self._datagrams.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _plan(self, folder: Path) -> PlanFor:
        ports = {service.replace("-", "_"): door.port for service, door in self.doors.items()}
        wanted = ("database", "cache", "payment", "cdn", "cdn_tls", "third_party", "third_party_tls")
        return PlanFor(folder=str(folder), secret=secrets.token_hex(16), **{name: ports[name] for name in wanted})
