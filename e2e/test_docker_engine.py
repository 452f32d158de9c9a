"""Where containers reach this machine, from what `docker network inspect bridge` answers."""

import sys
import unittest
from types import SimpleNamespace

# The tree stays clean.
sys.dont_write_bytecode = True
from docker_engine import host_address
from programs import Failure


def engine(*subnets, interface="docker0"):
    """An engine whose bridge has these subnets."""
    bridge = {"IPAM": {"Config": list(subnets)}, "Options": {"com.docker.network.bridge.name": interface}}
    networks = {"bridge": SimpleNamespace(attrs=bridge)}
    return SimpleNamespace(networks=networks)


class HostAddress(unittest.TestCase):
    def test_the_bridge_s_gateway_is_the_address(self):
        started = engine({"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}, interface="absent")
        self.assertEqual(host_address(started), "172.17.0.1")

    def test_an_address_of_ipv6_is_passed_over(self):
        both = engine({"Subnet": "fd00::/80", "Gateway": "fd00::1"}, {"Subnet": "10.9.0.0/16", "Gateway": "10.9.0.1"})
        self.assertEqual(host_address(both), "10.9.0.1")

    def test_an_engine_that_never_ran_before_is_asked_for_its_interface(self):
        self.assertEqual(host_address(engine({"Subnet": "127.0.0.0/8"}, interface="lo")), "127.0.0.1")

    def test_without_a_gateway_and_an_interface_the_failure_names_both(self):
        with self.assertRaisesRegex(Failure, "no gateway of its bridge, and absent has no address"):
            host_address(engine({"Subnet": "172.17.0.0/16"}, interface="absent"))


if __name__ == "__main__":
    unittest.main()
