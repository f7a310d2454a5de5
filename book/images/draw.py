"""Draw the README's pictures: a wrong answer to exercise 7.1 with the card that `check` answers with, and the sliding window at work.

Needs Chromium: `.venv/bin/python book/images/draw.py`. Draw them again when cards or explorers look different.
"""

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_lib import check, explorers

ANSWER = """\
def conv2d(image, kernel):
    image, kernel = np.asarray(image, float), np.flip(kernel)
    (H, W), (kH, kW) = image.shape, kernel.shape
    output = np.zeros((H - kH + 1, W - kW + 1))
    for i in range(H - kH + 1):
        for j in range(W - kW + 1):
            output[i, j] = np.sum(image[i:i + kH, j:j + kW] * kernel)
    return output


check("conv2d", conv2d)
"""


FONTS = "body{margin:16px;font:15px/1.35 'DejaVu Sans',sans-serif}pre,code{font:14px/1.4 'DejaVu Sans Mono',monospace}"
SECONDS = 1.2  # that each picture of the film is shown


def draw_verdict(browser, target: Path) -> None:
    """Run the answer, judge it, and draw the cell and its card as they look in a notebook."""
    names = {}
    exec("import numpy as np\n" + ANSWER.rsplit("\n\n\n", 1)[0], names)
    card = check("conv2d", names["conv2d"], seed=0)._repr_mimebundle_()["text/html"]
    style = HtmlFormatter(style="default", noclasses=True, cssstyles="background:#f5f5f5;border:1px solid #d0d0d0;padding:0.2em 0.8em")
    page = browser.new_page(viewport={"width": 892, "height": 100}, device_scale_factor=1.5)
    page.set_content(f"<style>{FONTS}body{{width:860px}}</style>{highlight(ANSWER, PythonLexer(), style)}{card}")
    page.screenshot(path=target, full_page=True)


def draw_film(browser, target: Path) -> None:
    """Draw what the explorer plays where no kernel listens, one picture for each place of the window."""
    explorer = explorers.sliding_window()
    page = browser.new_page(viewport={"width": 760, "height": 100}, device_scale_factor=1.5)
    page.set_content(f"<style>{FONTS}</style>{explorer._repr_html_()}")
    count, pictures = page.locator(".explorer-film > div").count(), []
    for number in range(count):
        moment = 1000 * (number + 0.5) * SECONDS
        page.evaluate("moment => document.getAnimations().forEach(one => { one.pause(); one.currentTime = moment })", moment)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        pictures.append(picture.quantize(64, dither=Image.Dither.NONE))
    pictures[0].save(target, save_all=True, append_images=pictures[1:], duration=int(1000 * SECONDS), loop=0, optimize=True)


if __name__ == "__main__":
    here = Path(__file__).parent
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-quic"])
        draw_verdict(chromium, here / "verdict.png")
        draw_film(chromium, here / "sliding_window.gif")
        chromium.close()
