"""A small QR code writer (ISO/IEC 18004): byte mode, error correction level L, versions 1 to 5, mask 0.

Enough for the checkout addresses of the stand-in, which are shorter than 106 bytes.
"""

from __future__ import annotations

#: version -> (data codewords, error correction codewords), level L, one block
_CAPACITY = {1: (19, 7), 2: (34, 10), 3: (55, 15), 4: (80, 20), 5: (108, 26)}
_FORMAT = 0b111011111000100  # level L, mask 0, with its own error correction


def svg(text: str) -> str:
    """``text`` as a scannable SVG picture of 180 by 180."""
    rows = modules(text)
    side = len(rows) + 8  # four light modules around
    dark = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="180" height="180" viewBox="0 0 {side} {side}">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{dark}"/></svg>'
    )


def modules(text: str) -> list[list[bool]]:
    """The rows of the code, True for dark. Raises ValueError when ``text`` is too long."""
    data = text.encode()
    version = next((v for v, (room, _) in _CAPACITY.items() if len(data) + 2 <= room), None)
    if version is None:
        raise ValueError(f"{len(data)} bytes do not fit in a QR code of version 5")
    size = 17 + 4 * version
    fixed: dict[tuple[int, int], bool] = {}
    _patterns(fixed, size, version)
    bits = "".join(f"{byte:08b}" for byte in _codewords(data, *_CAPACITY[version]))
    at = 0
    grid = [[False] * size for _ in range(size)]
    for x, y in _path(size):
        if (x, y) in fixed:
            continue
        bit = at < len(bits) and bits[at] == "1"
        at += 1
        grid[y][x] = bit ^ ((x + y) % 2 == 0)
    for (x, y), is_dark in fixed.items():
        grid[y][x] = is_dark
    return grid


def _codewords(data: bytes, room: int, correction: int) -> bytes:
    bits = f"0100{len(data):08b}" + "".join(f"{byte:08b}" for byte in data) + "0000"
    words = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    padding = (b"\xec\x11" * room)[: room - len(words)]
    words += padding
    return words + _remainder(words, correction)


def _remainder(words: bytes, degree: int) -> bytes:
    """Reed-Solomon: the remainder of ``words`` divided by the generator of this degree, over GF(256)."""
    generator = [1]
    root = 1
    for _ in range(degree):
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
        root = _times(root, 2)
    rest = list(words) + [0] * degree
    for at in range(len(words)):
        factor = rest[at]
        for offset, coefficient in enumerate(generator):
            rest[at + offset] ^= _times(coefficient, factor)
    return bytes(rest[len(words) :])


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def _patterns(fixed: dict[tuple[int, int], bool], size: int, version: int) -> None:
    for left, top in ((0, 0), (size - 7, 0), (0, size - 7)):
        for x in range(left - 1, left + 8):
            for y in range(top - 1, top + 8):
                if 0 <= x < size and 0 <= y < size:
                    ring = max(abs(x - left - 3), abs(y - top - 3))
                    fixed[x, y] = ring not in (2, 4)
    if version > 1:
        for x in range(size - 9, size - 4):
            for y in range(size - 9, size - 4):
                fixed[x, y] = max(abs(x - size + 7), abs(y - size + 7)) != 1
    for at in range(8, size - 8):
        fixed[at, 6] = fixed[6, at] = at % 2 == 0
    for bit in range(15):
        is_dark = bool(_FORMAT >> bit & 1)
        around = [(8, bit), (8, 7), (8, 8), (7, 8), (14 - bit, 8)]
        fixed[around[0 if bit < 6 else min(bit - 5, 3) if bit < 9 else 4]] = is_dark
        fixed[(size - 1 - bit, 8) if bit < 8 else (8, size - 15 + bit)] = is_dark
    fixed[8, size - 8] = True


def _path(size: int) -> list[tuple[int, int]]:
    """The order in which data fills the code: two columns at a time, up and down, skipping the timing column."""
    places = []
    upward = True
    right = size - 1
    while right > 0:
        if right == 6:
            right -= 1
        for step in range(size):
            y = size - 1 - step if upward else step
            places += [(right, y), (right - 1, y)]
        upward = not upward
        right -= 2
    return places
