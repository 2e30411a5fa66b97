//! What all charts share: colours, sizes, the legend.

use super::drawing::{Align, Drawing, Pen, Text, fitted};
use plotters::style::RGBColor;

/// Background.
pub const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Titles and names.
pub const INK: RGBColor = RGBColor(26, 26, 26);
/// Labels of axes, remarks.
pub const FAINT: RGBColor = RGBColor(89, 89, 89);
/// Axes.
pub const FRAME: RGBColor = RGBColor(140, 140, 140);
/// Lines that mark a value within the grid.
pub const GUIDE: RGBColor = RGBColor(184, 184, 184);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(228, 228, 228);

/// Size of a chart's title, pixels an em.
pub const TITLE: f64 = 17.0;
/// Size of a panel's title.
pub const HEADING: f64 = 14.0;
/// Size of all other text.
pub const LABEL: f64 = 12.5;

/// Opacity of bands.
pub const BAND: f64 = 0.2;

/// Most curves in one chart; what is beyond is counted in the legend.
pub const CURVES_MAX: usize = 12;

/// Okabe and Ito's colours that show on white, the most distinct first.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// The pen of the curve at `index`: a colour each, then the same colours dashed.
pub fn pen(index: usize) -> Pen {
    let dash = match index / COLORS.len() {
        0 => None,
        1 => Some((6.0, 4.0)),
        _ => Some((2.0, 3.0)),
    };
    Pen { color: COLORS[index % COLORS.len()], width: 2.0, dash }
}

/// A thin solid pen.
pub fn hairline(color: RGBColor) -> Pen {
    Pen { color, width: 1.0, dash: None }
}

/// A label in the common size.
pub fn label(at: (f64, f64), align: Align, color: RGBColor, text: impl Into<String>) -> Text {
    Text { at, align, em: LABEL, bold: false, color, text: text.into() }
}

/// A bold text.
pub fn bold(at: (f64, f64), em: f64, text: impl Into<String>) -> Text {
    Text { at, align: Align::Left, em, bold: true, color: INK, text: text.into() }
}

/// The chart's title and the remark below it; they end at y = 48.
pub fn title(drawing: &mut Drawing, title: &str, remark: &str) {
    let room = super::drawing::WIDTH - 2.0 * MARGIN;
    drawing.text(bold((MARGIN, 24.0), TITLE, fitted(title, TITLE, true, room)));
    let remark = fitted(remark, LABEL, false, room);
    drawing.text(label((MARGIN, 43.0), Align::Left, FAINT, remark));
}

/// Blank at the sides of a page.
pub const MARGIN: f64 = 16.0;

/// One line of a legend.
pub struct Entry {
    /// Name of the curve.
    pub name: String,
    /// Further lines below the name.
    pub remarks: Vec<String>,
}

/// Draws a legend with its upper left corner at `at`, names cut to `width`;
/// entries beyond [`CURVES_MAX`] are only counted.
pub fn legend(drawing: &mut Drawing, at: (f64, f64), width: f64, entries: &[Entry]) {
    const SAMPLE: f64 = 26.0;
    let (left, mut y) = at;
    for (index, entry) in entries.iter().take(CURVES_MAX).enumerate() {
        y += 17.5;
        let middle = y - 0.36 * LABEL;
        let pen = Pen { width: 3.0, ..pen(index) };
        drawing.line(vec![(left, middle), (left + SAMPLE - 6.0, middle)], pen);
        let name = fitted(&entry.name, LABEL, false, width - SAMPLE);
        drawing.text(label((left + SAMPLE, y), Align::Left, INK, name));
        for remark in &entry.remarks {
            y += 16.0;
            let remark = fitted(remark, LABEL, false, width - SAMPLE);
            drawing.text(label((left + SAMPLE, y), Align::Left, FAINT, remark));
        }
    }
    if entries.len() > CURVES_MAX {
        let text = format!("and {} more, not drawn", entries.len() - CURVES_MAX);
        drawing.text(label((left + SAMPLE, y + 17.5), Align::Left, FAINT, text));
    }
}
