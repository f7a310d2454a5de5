"""Draw verdict.png, the picture of the README: a wrong answer to exercise 7.1 and the card that `check` answers with.

Needs Chromium: `.venv/bin/python book/images/verdict.py`. Draw it again when the cards look different.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_lib import check

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


def draw(target: Path) -> None:
    """Run the answer, judge it, and write the cell and its card as they look in a notebook."""
    names = {}
    exec("import numpy as np\n" + ANSWER.rsplit("\n\n\n", 1)[0], names)
    card = check("conv2d", names["conv2d"], seed=0)._repr_mimebundle_()["text/html"]
    style = HtmlFormatter(style="default", noclasses=True, cssstyles="background:#f5f5f5;border:1px solid #d0d0d0;padding:0.2em 0.8em")
    fonts = "font:15px/1.35 'DejaVu Sans',sans-serif}pre,code{font:14px/1.4 'DejaVu Sans Mono',monospace}"
    page_text = f"<style>body{{margin:16px;width:860px;{fonts}</style>{highlight(ANSWER, PythonLexer(), style)}{card}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-quic"])
        page = browser.new_page(viewport={"width": 892, "height": 100}, device_scale_factor=1.5)
        page.set_content(page_text)
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    draw(Path(__file__).with_name("verdict.png"))
