"""Digests of content: equal content has equal digests."""

import hashlib
import json
from typing import Any


def content_digest(content: Any) -> str:
    """Returns a digest of bytes, or of what JSON can hold; 32 hexadecimal digits.

    The order of a dictionary's entries matters.

    Args:
        content: The content.

    Example:

    >>> content_digest({"app": ["maps", "mail"]})
    '1d512d07b0641fcd506089307a00c8e9'
    >>> content_digest({"app": ["mail", "maps"]})
    'df1ace42576c5a41456ea500b59011a9'
    """
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
            errors="surrogatepass"
        )
    return hashlib.blake2b(content, digest_size=16).hexdigest()
