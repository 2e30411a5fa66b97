//! Puts a drawing on a plotters backend: SVG text or a PNG file.
//!
//! Both are drawn at twice the page's pixels: the PNG is sharp on dense
//! screens, and the SVG, whose backend only knows whole pixels, gets half-pixel
//! steps. The same drawing gives the same bytes.

use super::drawing::{Align, Drawing, FONT_FAMILY, LINE_PER_EM, Mark, Pen, Point, Text, WIDTH};
use crate::error::{Error, Result};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon};
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle};
use std::path::Path;
use std::sync::Once;

/// Device pixels in a pixel of the page.
const SCALE: f64 = 2.0;

/// Makes the embedded font known to plotters; later calls do nothing.
pub fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (style, bytes) in
            [(FontStyle::Normal, notosans::REGULAR_TTF), (FontStyle::Bold, notosans::BOLD_TTF)]
        {
            assert!(register_font(FONT_FAMILY, style, bytes).is_ok(), "the embedded font is sound");
        }
    });
}

/// The drawing as an SVG document.
pub fn svg(drawing: &Drawing) -> String {
    let mut text = String::new();
    let (width, height) = device_size(drawing);
    {
        let backend = SVGBackend::with_string(&mut text, (width, height));
        let painted = paint(drawing, backend, &SVG);
        painted.expect("writing to memory does not fail");
    }
    // The page's own size, of which the view box is the double.
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let page = format!("width=\"{WIDTH}\" height=\"{}\"", drawing.height);
    text.replacen(&size, &page, 1)
}

/// Writes the drawing as a PNG file.
pub fn png(drawing: &Drawing, path: &Path) -> Result<()> {
    let failed = |source| Error::Io {
        action: "cannot write",
        path: path.into(),
        source,
        fix: "free some space or choose another folder with --out",
    };
    paint(drawing, BitMapBackend::new(path, device_size(drawing)), &BITMAP)
        .map_err(|problem| failed(std::io::Error::other(problem)))?;
    // The encoder behind plotters ignores what its last flush says, so a full
    // disk shows in a missing end mark only.
    let bytes = std::fs::read(path).map_err(failed)?;
    if !bytes.ends_with(b"IEND\xaeB`\x82") {
        return Err(failed(std::io::Error::other("the file is cut short")));
    }
    Ok(())
}

fn device_size(drawing: &Drawing) -> (u32, u32) {
    ((WIDTH * SCALE) as u32, (drawing.height * SCALE) as u32)
}

/// What a backend makes of a text's size and position, and of corners.
struct Face {
    /// plotters' font size that gives an em of one pixel.
    size_per_em: f64,
    /// From plotters' top anchor down to the baseline, in em.
    top_to_baseline: f64,
    /// Sharp corners of a path grow spikes as long as they please.
    spikes: bool,
}

/// The SVG backend divides sizes by 1.24 and shifts by 0.76 em.
const SVG: Face = Face { size_per_em: 1.24, top_to_baseline: 0.76, spikes: false };
/// The bitmap backend puts the baseline half a size below the anchor.
const BITMAP: Face =
    Face { size_per_em: LINE_PER_EM, top_to_baseline: LINE_PER_EM / 2.0, spikes: true };

fn paint<DB: DrawingBackend>(
    drawing: &Drawing,
    backend: DB,
    face: &Face,
) -> std::result::Result<(), String> {
    register_fonts();
    let area = backend.into_drawing_area();
    for mark in &drawing.marks {
        match mark {
            Mark::Line { points, pen } => paint_line(&area, points, pen, face),
            Mark::Area { points, color, alpha } => {
                area.draw(&Polygon::new(device_points(points), color.mix(*alpha).filled()))
            }
            Mark::Dot { center, radius, color, alpha } => {
                let radius = (radius * SCALE) as i32;
                area.draw(&Circle::new(device(*center), radius, color.mix(*alpha).filled()))
            }
            Mark::Text(text) => paint_text(&area, text, face),
        }
        .map_err(|problem| problem.to_string())?;
    }
    area.present().map_err(|problem| problem.to_string())
}

type Painted<DB> = std::result::Result<
    (),
    plotters::drawing::DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>,
>;

fn paint_line<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    points: &[Point],
    pen: &Pen,
    face: &Face,
) -> Painted<DB> {
    let points = device_points(points);
    if points.len() < 2 {
        return Ok(());
    }
    let width = ((pen.width * SCALE) as u32).max(1);
    let style = ShapeStyle { color: pen.color.to_rgba(), filled: false, stroke_width: width };
    match pen.dash {
        // One stroke at a time, with round corners.
        None if face.spikes && points.len() > 2 => {
            let joint = ShapeStyle { filled: true, ..style };
            for ends in points.windows(2) {
                area.draw(&PathElement::new(ends.to_vec(), style))?;
                area.draw(&Circle::new(ends[1], (width / 2) as i32, joint))?;
            }
            Ok(())
        }
        None => area.draw(&PathElement::new(points, style)),
        Some((dash, gap)) => area.draw(&DashedPathElement::new(
            points.iter().copied(),
            (dash * SCALE) as i32,
            (gap * SCALE) as i32,
            style,
        )),
    }
}

fn paint_text<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    text: &Text,
    face: &Face,
) -> Painted<DB> {
    let em = text.em * SCALE;
    let weight = if text.bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = FontDesc::new(FontFamily::Name(FONT_FAMILY), em * face.size_per_em, weight);
    let side = match text.align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    let style = TextStyle::from(font).pos(Pos::new(side, VPos::Top)).color(&text.color);
    let (x, baseline) = device(text.at);
    area.draw_text(&text.text, &style, (x, baseline - (em * face.top_to_baseline) as i32))
}

fn device((x, y): Point) -> (i32, i32) {
    ((x * SCALE + 0.5) as i32, (y * SCALE + 0.5) as i32)
}

/// Device points without repetitions, which the backends cannot give a direction.
fn device_points(points: &[Point]) -> Vec<(i32, i32)> {
    let mut points: Vec<_> = points.iter().map(|&point| device(point)).collect();
    points.dedup();
    points
}
