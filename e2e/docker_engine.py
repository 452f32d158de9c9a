"""A Docker engine: one that answers, or one that is started here, and the address by which containers reach this
machine."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess

import docker

from programs import Failure, Program, say, until

# The request for an interface's address, from <linux/sockios.h>.
SIOCGIFADDR = 0x8915


class NoEngine(Exception):
    """Why no Docker engine runs here."""


def answering():
    try:
        engine = docker.from_env(timeout=60)
        engine.ping()
        return engine
    except docker.errors.DockerException:
        return None


def start_engine(log):
    """An engine, and the program if it was started here. What that one prints is in `log`."""
    if engine := answering():
        return engine, None
    if os.geteuid():
        raise NoEngine("none answers, and only root can start one")
    if not shutil.which("dockerd"):
        say("installing docker.io")
        try:
            # With what it recommends: the firewall's tools are among that.
            # With the machine's own environment: apt-get may need a proxy.
            variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in (["update", "-qq"], ["install", "-y", "-qq", "docker.io"]):
                subprocess.run(["apt-get", *command], env=variables, check=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            raise NoEngine(f"docker.io cannot be installed: {error}") from error
    program = Program("dockerd", ["dockerd"], log)
    try:
        return until("dockerd answers", lambda: program.check() or answering(), seconds=45, every=0.5), program
    except BaseException as error:
        program.end()
        if not isinstance(error, Failure):
            raise
        last = program.printed().splitlines()[-1:]
        raise NoEngine(f"{error} {' '.join(last)}") from error


def host_address(engine):
    """The address of the machine on the network that containers are in unless told otherwise."""
    network = engine.networks.get("bridge").attrs
    for subnet in network["IPAM"]["Config"] or []:
        gateway = subnet.get("Gateway", "")
        if "." in gateway:
            return gateway
    # An engine that runs for the first time leaves the gateway out until it is started again (moby/moby#26799).
    # The bridge's interface has the address by then.
    name = network["Options"].get("com.docker.network.bridge.name", "docker0")
    try:
        return interface_address(name)
    except OSError as error:
        raise Failure(f"Docker names no gateway of its bridge, and {name} has no address: {error}") from error


def interface_address(name):
    """The IPv4 address of a network interface of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()))
    return socket.inet_ntoa(answer[20:24])
