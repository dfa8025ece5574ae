"""The one place where XML is read: what libvirt says of domains, also another host's of one that comes from there."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def parsed(xml: str) -> ET.Element:
    """The root of a document of libvirt's. Raises `ElementTree.ParseError`.

    It comes from the host's own libvirt, over its socket, or from another host, and has no entities then
    (`lane_coming`); such as grow without bound are refused by expat, too.
    """
    return ET.fromstring(xml)  # nosec B314  # never a guest's or a caller's
