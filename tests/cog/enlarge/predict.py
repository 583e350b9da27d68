"""Picture to picture: the same, larger, in a white frame."""

import os
import tempfile
import time

from cog import BasePredictor, Input, Path
from PIL import Image, ImageOps


class Predictor(BasePredictor):
    def predict(
        self,
        image: Path = Input(description="The picture"),
        scale: int = Input(description="How many times larger", default=2, ge=1, le=4),
        seconds: float = Input(description="How long to think first", default=0.0, ge=0.0, le=600.0),
    ) -> Path:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(0.02)
        with Image.open(str(image)) as small:
            large = small.convert("RGB").resize((small.width * scale, small.height * scale), Image.Resampling.LANCZOS)
        framed = ImageOps.expand(large, border=max(2, large.width // 32), fill="white")
        path = os.path.join(tempfile.mkdtemp(), "picture.png")
        framed.save(path)
        return Path(path)
