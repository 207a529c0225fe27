#!/usr/bin/env python3
"""Draws the page's PNG icons as icon.svg has them: two doors, one inside the other. Its output is committed.

Run it in this directory after a change of the drawing. Needs nothing but Python.
"""
import struct
import zlib

BLUE, WHITE = (0x1D, 0x4F, 0xA3), (0xFF, 0xFF, 0xFF)


def inside_round(x, y, radius):
    dx, dy = max(radius - x, x - (64 - radius), 0), max(radius - y, y - (64 - radius), 0)
    return dx * dx + dy * dy <= radius * radius


def inside_door(x, y, half, top):
    if abs(x - 32) > half or y > 54:
        return False
    return y >= top or (x - 32) ** 2 + (y - top) ** 2 <= half * half


def colour(x, y, kind):
    """The colour at a point of the 64 by 64 drawing; None is transparent."""
    if kind == "badge":  # Android takes the shape alone.
        return WHITE if inside_door(x, y, 16, 24) and not inside_door(x, y, 8, 27) else None
    if kind == "maskable":  # Whole square; the drawing within the safe zone.
        x, y = (x - 32) / 0.72 + 32, (y - 32) / 0.72 + 32
    elif not inside_round(x, y, 14):
        return None
    if (x - 37) ** 2 + (y - 40) ** 2 <= 4:
        return WHITE
    if inside_door(x, y, 8, 27):
        return BLUE
    return WHITE if inside_door(x, y, 16, 24) else BLUE


def pixel(px, py, size, kind, samples=4):
    total, seen = [0, 0, 0], 0
    for sx in range(samples):
        for sy in range(samples):
            found = colour((px + (sx + 0.5) / samples) * 64 / size, (py + (sy + 0.5) / samples) * 64 / size, kind)
            if found:
                total = [a + b for a, b in zip(total, found)]
                seen += 1
    alpha = round(255 * seen / samples**2)
    return bytes([*(a // seen for a in total), alpha]) if seen else bytes(4)


def png(size, kind):
    rows = b"".join(b"\0" + b"".join(pixel(x, y, size, kind) for x in range(size)) for y in range(size))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


for name, size, kind in [
    ("icon-192.png", 192, "any"),
    ("icon-512.png", 512, "any"),
    ("icon-maskable-512.png", 512, "maskable"),
    ("badge-96.png", 96, "badge"),
]:
    with open(name, "wb") as file:
        file.write(png(size, kind))
