"""What a producer says of a file, in a control file beside it: `<file name>.manifest.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ratchet.errors import FeedError

ENDING = ".manifest.json"


class ControlFile(BaseModel):
    """Content hash, size and number of rows of a file, as its producer counted them.

    Blank lines and the header are no rows. A producer may say more: it is not read.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(alias="bytes", ge=0)
    rows: int = Field(ge=0)

    @classmethod
    def parse(cls, content: bytes) -> ControlFile:
        """Read a control file; raise FeedError if it is none."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            found = error.errors()[0]
            field = ".".join(map(str, found["loc"])) or "it"
            raise FeedError(
                f"its control file can't be read: {field}: {found['msg']}; it must be JSON with "
                "sha256, bytes and rows"
            ) from error

    def refuse_other_bytes(self, size: int, sha256: str) -> None:
        """Raise FeedError with both values if a file has another size or hash."""
        faults = []
        if size != self.size:
            faults.append(f"it has {size} bytes where its control file says {self.size}")
        if sha256 != self.sha256:
            faults.append(
                f"its sha256 is {sha256[:12]}… where its control file says {self.sha256[:12]}…"
            )
        if faults:
            raise FeedError("; ".join(faults))

    def refuse_other_rows(self, rows: int) -> None:
        """Raise FeedError with both values if a file has another number of rows."""
        if rows != self.rows:
            raise FeedError(f"it has {rows} rows where its control file says {self.rows}")
