"""Text to picture: a sun over hills in colors that the prompt decides."""

import hashlib
import os
import tempfile
import time

from cog import BasePredictor, Input, Path
from PIL import Image, ImageDraw


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("the brushes are clean")

    def predict(
        self,
        prompt: str = Input(description="What to paint"),
        size: int = Input(description="Width and height in pixels", default=128, ge=16, le=1024),
        seconds: float = Input(description="How long to think first", default=0.0, ge=0.0, le=600.0),
        trouble: str = Input(
            description="What goes wrong: the model, or its whole process",
            default="none",
            choices=["none", "fail", "crash"],
        ),
    ) -> Path:
        print(f"painting {prompt}")
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(0.02)
        if trouble == "fail":
            raise ValueError(f"there is no color for {prompt}")
        if trouble == "crash":
            os._exit(1)
        picture = paint(prompt, size)
        path = os.path.join(tempfile.mkdtemp(), "picture.png")
        picture.save(path)
        return Path(path)


def paint(prompt: str, size: int) -> Image.Image:
    dice = hashlib.sha256(prompt.encode()).digest()
    top, low, near, far, sun = (tuple(dice[i : i + 3]) for i in range(0, 15, 3))
    picture = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(picture)
    for y in range(size):
        draw.line([(0, y), (size, y)], fill=tuple(a + (b - a) * y // size for a, b in zip(top, low)))
    x, y, r = size * (64 + dice[15] // 2) // 256, size * 2 // 5, size // 7
    draw.ellipse([x - r, y - r, x + r, y + r], fill=sun)
    draw.ellipse([-size // 2, size * 5 // 9, size * 3 // 4, size * 3 // 2], fill=far)
    draw.ellipse([size // 4, size * 2 // 3, size * 3 // 2, size * 2], fill=near)
    return picture
