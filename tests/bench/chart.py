"""Bars as SVG: how far each figure is on its way to its goal."""
from xml.sax.saxutils import escape

ROW, LABELS, WIDTH, MOST = 22, 560, 380, 2.0  # pixels, pixels, pixels, times the goal
GOOD, SHORT = "#2e7d4f", "#c0562f"


def draw(bars):
    """`bars`: (what, median, lowest, highest), 1 being the goal; what is beyond the edge ends there. Empty for none."""
    if not bars:
        return ""
    height = ROW * (len(bars) + 2)
    scale = WIDTH / MOST

    def at(value):
        return LABELS + min(value, MOST) * scale
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + WIDTH + 70}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{LABELS + WIDTH + 70}" height="{height}" fill="white"/>',
             f'<text x="{at(1)}" y="14" text-anchor="middle">goal</text>']
    for number, (what, middle, low, high) in enumerate(bars):
        top = ROW * (number + 1)
        colour = GOOD if round(middle, 2) >= 1 else SHORT
        lines += [f'<text x="{LABELS - 8}" y="{top + 14}" text-anchor="end">{escape(what)}</text>',
                  f'<rect x="{LABELS}" y="{top + 3}" width="{at(middle) - LABELS:.1f}" height="{ROW - 6}" '
                  f'fill="{colour}"/>',
                  f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{top + ROW / 2}" y2="{top + ROW / 2}" '
                  'stroke="black"/>',
                  f'<text x="{at(max(middle, high)) + 6:.1f}" y="{top + 14}">{middle:.2f}</text>']
    lines.append(f'<line x1="{at(1)}" x2="{at(1)}" y1="18" y2="{height - ROW}" stroke="black" '
                 'stroke-dasharray="4 3"/>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"
