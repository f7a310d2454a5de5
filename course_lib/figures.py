"""Figures of the lessons: what is worth looking at rather than reading. Each function returns a `Picture`."""

import base64
import html
import io

import matplotlib.pyplot as plt


class Picture:
    """A finished matplotlib figure with a text alternative; shows itself in a notebook as an image with that text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is closed here, so that the notebook does not show it a second time.
    alt : str
        What the picture shows, for somebody who cannot see it.
    """

    def __init__(self, figure, alt):
        self.figure, self.alt = figure, alt
        plt.close(figure)

    def __repr__(self):
        return f"Figure: {self.alt}"

    def png(self, dpi=160):
        """The picture as PNG bytes."""
        stream = io.BytesIO()
        self.figure.savefig(stream, format="png", dpi=dpi, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        return stream.getvalue()

    def _repr_html_(self):
        data = base64.b64encode(self.png()).decode()
        alt = html.escape(self.alt, quote=True)
        width = round(self.figure.get_figwidth() * 96)
        return f'<img alt="{alt}" style="max-width:100%;width:{width}px" src="data:image/png;base64,{data}">'
