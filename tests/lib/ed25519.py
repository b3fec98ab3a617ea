"""Signing JSON with ed25519 (RFC 8032, section 5.1; Matrix, Appendices, "Signing JSON") for tests: slow, and not in constant time."""
import base64
import hashlib
import json

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def _x_of(y):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * I % P
    return P - x if x % 2 else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (_x_of(BASE_Y), BASE_Y, 1, _x_of(BASE_Y) * BASE_Y % P)


def _add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    aa, bb = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = bb - aa, d - c, d + c, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(n):
    point, doubled = (0, 1, 1, 0), BASE
    while n:
        if n & 1:
            point = _add(point, doubled)
        doubled = _add(doubled, doubled)
        n >>= 1
    return point


def _pack(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def base64_of(raw):
    return base64.b64encode(raw).decode().rstrip("=")


class Key:
    """A key pair of this seed (32 bytes)."""

    def __init__(self, seed):
        hashed = hashlib.sha512(seed).digest()
        self.scalar = (int.from_bytes(hashed[:32], "little") & ((1 << 254) - 8)) | (1 << 254)
        self.prefix, self.public = hashed[32:], _pack(_times(self.scalar))

    def sign(self, message):
        r = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % L
        start = _pack(_times(r))
        k = int.from_bytes(hashlib.sha512(start + self.public + message).digest(), "little") % L
        return start + ((r + k * self.scalar) % L).to_bytes(32, "little")

    def sign_json(self, value, user_id, name):
        """The object with the signature added."""
        bare = {key: inner for key, inner in value.items() if key not in ("signatures", "unsigned")}
        text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return {**value, "signatures": {user_id: {f"ed25519:{name}": base64_of(self.sign(text.encode()))}}}
