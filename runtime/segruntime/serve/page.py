"""The page at `/`: what is there, and a form to try it. It loads nothing, and may not."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from segruntime.serve.service import Service

_PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")


def page(service: Service) -> str:
    """HTML, with the model, the limits and the backgrounds of this service."""
    words = {
        "MODEL": service.model,
        "BACKGROUNDS": ", ".join(["blur", "a colour", *service.backgrounds]),
        "BYTES": f"{service.limits.body_bytes:,}",
        "PIXELS": f"{service.limits.pixels:,}",
    }
    made = _PAGE
    for name, word in words.items():
        made = made.replace(f"@{name}@", html.escape(word))
    return made


def _hashes(tag: str) -> str:
    parts = re.findall(f"<{tag}>(.*?)</{tag}>", _PAGE, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(part.encode()).digest()).decode()}'" for part in parts)


POLICY = (
    f"default-src 'none'; script-src {_hashes('script')}; style-src {_hashes('style')}; connect-src 'self'; "
    "img-src blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own script and style by their digests, and nothing else."""
