"""What the tests of the scorer share."""

from __future__ import annotations

SHALLOW = ("vitnt:blocks=0,1", "attn:block=0")  # any network has these, and they take few blocks
