"""ICC profiles by hand: three primaries or none, and one exponent (ICC.1:2022, sections 7 to
10)."""

import struct

D50 = (0.9642, 1.0, 0.8249)
SRGB_D50 = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
P3_D50 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def _fixed(value):
    return struct.pack(">i", round(value * 65536))


def _xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(exponent):
    return b"para\0\0\0\0\0\0\0\0" + _fixed(exponent)


def _profile(space, tags, device_class=b"mntr", pcs=b"XYZ "):
    at, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, at + len(data), len(body))
        data += body
    size = at + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x04300000, device_class, space, pcs)
    header += (
        struct.pack(">6H4s", 2026, 12, 1, 0, 0, 0, b"acsp")
        + bytes(24 + 4)
        + b"".join(map(_fixed, D50))
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _text(value):
    return (
        b"mluc\0\0\0\0"
        + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(value), 28)
        + value.encode("utf-16-be")
    )


def rgb_profile(exponent, primaries=SRGB_D50, device_class=b"mntr", space=b"RGB "):
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(exponent))
    columns = {name: _xyz(values) for name, values in zip(names, primaries, strict=True)}
    tags = {b"desc": _text("test"), b"cprt": _text("none"), b"wtpt": _xyz(D50)}
    return _profile(space, tags | columns | curves, device_class)


def gray_profile(exponent, device_class=b"mntr"):
    tags = {
        b"desc": _text("test"),
        b"cprt": _text("none"),
        b"wtpt": _xyz(D50),
        b"kTRC": _gamma(exponent),
    }
    return _profile(b"GRAY", tags, device_class)


def neutral_cmyk_profile():
    """By which full ink of any kind is black and none is white, without a hue: an A2B0 table of 2^4
    corners in Lab."""
    corners = b"".join(bytes([0 if i else 255, 128, 128]) for i in range(16))
    ramp = bytes(range(256))
    identity = b"".join(_fixed(float(i % 4 == 0)) for i in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + corners + 3 * ramp
    tags = {b"desc": _text("test"), b"cprt": _text("none"), b"wtpt": _xyz(D50), b"A2B0": table}
    return _profile(b"CMYK", tags, b"prtr", b"Lab ")
