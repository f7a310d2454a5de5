"""What all figures share: the picture with its text alternative, one style, and the drawing of matrices and images."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np


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


# ---------------------------------------------------------------------------------------------------- style

CELL = 0.42  # inches: one cell of a drawn matrix
INK, QUIET, LINE = "#1f2328", "#57606a", "#8c959f"
MARK_FILL, MARK_EDGE = "#ffd8a8", "#b35900"  # as on the cards of `check`: a marked cell has a fill, a frame and bold type
WEIGHT_STYLES = (("#0072b2", "-"), ("#b35900", "--"), ("#1f2328", ":"))  # told apart by dashes as well as by color
SIGNED = "cividis"  # dark is negative, gray is zero, light is positive: the order survives grayscale and color-blindness

BLUE = "#2f5f9e"
TONES = ("#dbe7f6", "#ffe8cc", "#e3f1df")  # fills of channels 0, 1, 2: told apart by their labels too


def written(value):
    """A number as it stands in a cell: integers without a point, others to two decimals, a real minus sign."""
    value = round(float(value), 2) + 0.0  # + 0.0 turns a negative zero into zero
    text = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def in_words(array):
    """A matrix in words, for a text alternative."""
    return "; ".join(" ".join(map(_text, row)) for row in np.atleast_2d(array))


def _text(value):
    return value if isinstance(value, str) else written(value)


def as_matrix(name, values, dtype=None):
    """An argument as a matrix, or an error that names it."""
    matrix = np.asarray(values, dtype=dtype)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} must be a matrix (rows, columns) with no side empty, got shape {matrix.shape}")
    return matrix


def sized(shape):
    """A size as it is written: 3×5."""
    return f"{shape[0]}\N{MULTIPLICATION SIGN}{shape[1]}"


def lay_out(shapes, titles, symbols=(), title="", foot="", cell=CELL):
    """Axes for matrices of these shapes side by side, their cells all of one size, with a symbol in each gap."""
    lines = max(text.count("\n") + 1 for text in titles)
    widths = [max(columns * cell, max(map(len, text.split("\n"))) * 0.082) for (_, columns), text in zip(shapes, titles, strict=True)]
    gap, tall = 0.75, max(rows for rows, _ in shapes) * cell
    above, below = 0.35 + 0.2 * lines + (0.4 if title else 0), 0.3 + (0.4 if foot else 0)
    width, height = sum(widths) + gap * (len(shapes) + 0.2), tall + above + below
    figure, left, axes = plt.figure(figsize=(width, height)), gap * 0.6, []
    _keep_canvas(figure)
    for number, ((rows, columns), text, slot) in enumerate(zip(shapes, titles, widths, strict=True)):
        bottom = below + (tall - rows * cell) / 2
        ax = figure.add_axes([(left + (slot - columns * cell) / 2) / width, bottom / height, columns * cell / width, rows * cell / height])
        figure.text(
            (left + slot / 2) / width, (bottom + rows * cell + 0.3) / height, text, ha="center", va="bottom", fontsize=10, color=INK
        )
        axes.append(ax)
        left += slot + gap
        if number < len(symbols):
            middle = (left - gap / 2) / width, (below + tall / 2) / height
            figure.text(*middle, symbols[number], ha="center", va="center", fontsize=15, color=INK)
    if title:
        figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=12, fontweight="bold", color=INK)
    if foot:
        figure.text(0.5, 0.12 / height, foot, ha="center", va="bottom", fontsize=10, color=INK)
    return figure, axes


def _keep_canvas(figure):
    """Let nothing of the figure be cropped, so that cells come out at the same size in all figures."""
    figure.add_artist(plt.Rectangle((0, 0), 1, 1, facecolor="none", edgecolor="none"))


def draw_matrix(ax, array, mark=None, faint=None, tint=None, ticks=True, border=0):
    """A matrix as a grid of written cells.

    `mark` and `faint` are masks: framed cells, and hatched cells such as padding. `tint` gives each cell a lightness from 0 (white)
    to 1. `border` cells on each side do not count in the row and column numbers.
    """
    rows, columns = array.shape
    for i in range(rows):
        for j in range(columns):
            value, hatched = array[i, j], faint is not None and faint[i][j]
            shade = 1 - 0.45 * float(tint[i][j]) if tint is not None else 1.0
            face = "#f0f1f3" if hatched else (shade, shade, shade)
            ax.add_patch(
                plt.Rectangle(
                    (j - 0.5, i - 0.5), 1, 1, facecolor=face, edgecolor=LINE, linewidth=0.8, hatch="////" if hatched else None, zorder=1
                )
            )
            marked = mask_at(mark, i, j)
            if marked:
                ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=MARK_FILL, edgecolor=MARK_EDGE, linewidth=1.8, zorder=2))
            text = _text(value)
            ax.text(
                j, i, text, ha="center", va="center", fontsize=11 if len(text) < 4 else 9, color=INK, zorder=3,
                fontweight="bold" if marked else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8} if hatched and not marked else None,
            )  # fmt: skip
    ax.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.45, -0.55))
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0, labelsize=8, labelcolor=QUIET, top=False, labeltop=True, bottom=False, labelbottom=False, pad=1)
    if ticks:
        ax.set_xticks(range(border, columns - border), range(columns - 2 * border))
        ax.set_yticks(range(border, rows - border), range(rows - 2 * border))
    else:
        ax.set(xticks=[], yticks=[])


def mask_at(mask, i, j):
    """Is this cell under the mask? No mask, no cell."""
    return mask is not None and bool(mask[i][j])


def draw_image(ax, image, title, **options):
    """An image on an axis, with its first and last row and column numbered."""
    shown = ax.imshow(image, interpolation="nearest", **options)
    ax.set_title(title, fontsize=10, color=INK)
    rows, columns = image.shape
    ax.set(xticks=[0, columns - 1], yticks=[0, rows - 1])
    ax.tick_params(labelsize=8, labelcolor=QUIET, length=2)
    return shown


def tick(value, _position):
    """A number beside a color bar."""
    return written(value)


def number_text(value):
    """A number to four digits; integers without a point."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"


def draw_grid(ax, values, title="", mark=None, left=0.0, top=0.0, fill="white", size=11):
    """Draw a small matrix as cells with its numbers, marked cells in orange and bold; (left, top) is its corner in cells."""
    values = np.asarray(values)
    for (i, j), value in np.ndenumerate(values):
        marked = mark is not None and mark[i][j]
        cell = plt.Rectangle((left + j, top + i), 1, 1, facecolor=MARK_FILL if marked else fill, edgecolor=MARK_EDGE if marked else LINE)
        cell.set(linewidth=2 if marked else 1, zorder=2 if marked else 1)
        ax.add_patch(cell)
        text = value if isinstance(value, str) else number_text(value)
        ax.text(left + j + 0.5, top + i + 0.5, text, ha="center", va="center", size=size, weight="bold" if marked else "normal", zorder=3)
    if title:
        ax.text(left + values.shape[1] / 2, top - 0.3, title, ha="center", va="bottom", size=11)


def bare_axes(ax, width, height, margin=0.2):
    """An axis in cells, row 0 on top, without ticks."""
    ax.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin), aspect="equal")
    ax.axis("off")


def moved_by(image, shift):
    """An image moved by whole pixels (down, right); what leaves is lost and zeros move in."""
    moved = np.zeros_like(image)
    (down, right), (rows, columns) = shift, image.shape
    target = slice(max(down, 0), rows + min(down, 0)), slice(max(right, 0), columns + min(right, 0))
    origin = slice(max(-down, 0), rows + min(-down, 0)), slice(max(-right, 0), columns + min(-right, 0))
    moved[target] = image[origin]
    return moved


# ---------------------------------------------------------------------------------------------------- matrices and images


def show_grids(arrays, titles, mark=None, symbols=(), title="", foot=""):
    """Matrices side by side, with their numbers written in the cells.

    Parameters
    ----------
    arrays : sequence of (rows, columns)
        Numbers, or short texts.
    titles : sequence of str
        One above each.
    mark : sequence of (mask or None), optional
        For each matrix, the cells to frame.
    symbols : sequence of str
        Between neighbors, such as ``"="``.
    title, foot : str
        Above and below everything.
    """
    arrays = [as_matrix("each array", array) for array in arrays]
    figure, axes = lay_out([array.shape for array in arrays], titles, symbols, title, foot)
    masks = mark if mark is not None else [None] * len(arrays)
    for ax, array, mask in zip(axes, arrays, masks, strict=True):
        draw_matrix(ax, array, mask)
    described = [f"{name.replace(chr(10), ' ')}: {in_words(array)}" for name, array in zip(titles, arrays, strict=True)]
    return Picture(figure, ". ".join([*([title] if title else []), *described, *([foot] if foot else [])]))


def show_grid(array, mark=None, title=""):
    """One matrix with its numbers (or short texts) written in the cells, row and column numbers beside it, and framed cells."""
    return show_grids([array], [title], [mark])


def show_images(images, titles, alt):
    """Gray images side by side, all on one scale, with their first and last row and column numbered.

    Parameters
    ----------
    images : sequence of (H, W)
    titles : sequence of str
    alt : str
        What they show, for somebody who cannot see them.
    """
    images = [as_matrix("each image", image) for image in images]
    low, high = min(image.min() for image in images), max(image.max() for image in images)
    figure, axes = plt.subplots(1, len(images), figsize=(2.6 * len(images), 2.9), squeeze=False, layout="constrained")
    for ax, image, title in zip(axes[0], images, titles, strict=True):
        draw_image(ax, image, title, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
    return Picture(figure, alt)


def show_maps(images, titles, title="", signed=False, limit=None, value_label="value", columns=None):
    """Show images or feature maps side by side, on one common color scale.

    Parameters
    ----------
    images : sequence of ndarray, (H, W) or (H, W, 3)
        Color images are shown as they are.
    titles : sequence of str
        One for each.
    title : str
        Over all of them.
    signed : bool or sequence of bool
        True for values with a sign: a diverging scale centred on zero, blue below and red above. One for all, or one for each.
    limit : float, optional
        Largest absolute value of the signed scale; by default each map's own.
    value_label : str
        What the numbers are, beside the color bars.
    """
    count = len(images)
    columns = columns or count
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.3 * columns, 3.3 * rows + 0.3), squeeze=False, layout="constrained")
    signs = [signed] * count if isinstance(signed, bool) else list(signed)
    for ax in axes.ravel()[count:]:
        ax.axis("off")
    for ax, image, name, has_sign in zip(axes.ravel(), images, titles, signs, strict=False):
        ax.set_title(name, size=11)
        ax.set(xticks=[], yticks=[])
        if np.ndim(image) == 3:
            ax.imshow(image)
            continue
        bound = limit or float(np.abs(image).max()) or 1.0
        scale = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound} if has_sign else {"cmap": "gray"}
        shown = ax.imshow(image, interpolation="nearest", **scale)
        figure.colorbar(shown, ax=ax, shrink=0.75, label=value_label if ax is axes.ravel()[count - 1] else "")
    if title:
        figure.suptitle(title, size=12)
    return Picture(figure, f"{title or 'Images'}, side by side: {'; '.join(name.replace(chr(10), ' ') for name in titles)}.")
