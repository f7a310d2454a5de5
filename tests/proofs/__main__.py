"""Write the proof table: `make proofs`."""

from .table import TARGET, text

TARGET.write_text(text(), encoding="utf-8")
print(f"wrote {TARGET.name}")
