//! A chart as a list of marks, before any file format.
//!
//! Charts are pure functions that return a [`Drawing`]; `paint` puts it on a
//! plotters backend. One drawing therefore gives the same SVG and PNG, and
//! tests can ask where its texts lie. Lengths are in pixels of a page
//! [`WIDTH`] wide, y grows downwards.

use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor};

/// Width of every chart, pixels.
pub const WIDTH: f64 = 900.0;

/// Family that the embedded font is registered and referred to as; viewers of
/// a lone SVG that lack it fall back to their own sans-serif.
pub const FONT_FAMILY: &str = "Noto Sans, sans-serif";

/// plotters counts the size of a font it draws as ascent plus descent, which is
/// this many em in Noto Sans.
pub const LINE_PER_EM: f64 = 1.362;

/// Marks in painting order.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// Height, pixels.
    pub height: f64,
    /// What to paint.
    pub marks: Vec<Mark>,
}

/// A point on the page.
pub type Point = (f64, f64);

/// One thing to paint.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// Width and colour.
        pen: Pen,
    },
    /// A filled outline.
    Area {
        /// Corners.
        points: Vec<Point>,
        /// Fill.
        color: RGBColor,
        /// Opacity, 0..=1.
        alpha: f64,
    },
    /// A filled circle.
    Dot {
        /// Centre.
        center: Point,
        /// Radius.
        radius: f64,
        /// Fill.
        color: RGBColor,
        /// Opacity, 0..=1.
        alpha: f64,
    },
    /// A line of text.
    Text(Text),
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Colour.
    pub color: RGBColor,
    /// Width.
    pub width: f64,
    /// Length of dashes and of the gaps between them; `None` is solid.
    pub dash: Option<(f64, f64)>,
}

/// A line of text.
#[derive(Clone, Debug)]
pub struct Text {
    /// Where: the baseline at the side named by `align`.
    pub at: Point,
    /// Which side of the text is at `at`.
    pub align: Align,
    /// Size of one em.
    pub em: f64,
    /// Bold face.
    pub bold: bool,
    /// Colour.
    pub color: RGBColor,
    /// The text.
    pub text: String,
}

/// Horizontal alignment of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Starts at its point.
    Left,
    /// Has its middle at its point.
    Middle,
    /// Ends at its point.
    Right,
}

impl Text {
    /// Width in pixels.
    pub fn width(&self) -> f64 {
        text_width(&self.text, self.em, self.bold)
    }

    /// The box around it: left, top, right, bottom (cap height to descender).
    pub fn bounds(&self) -> (f64, f64, f64, f64) {
        let width = self.width();
        let left = match self.align {
            Align::Left => self.at.0,
            Align::Middle => self.at.0 - width / 2.0,
            Align::Right => self.at.0 - width,
        };
        (left, self.at.1 - 0.75 * self.em, left + width, self.at.1 + 0.22 * self.em)
    }
}

/// Width of `text` in the embedded font.
pub fn text_width(text: &str, em: f64, bold: bool) -> f64 {
    super::paint::register_fonts();
    // Measured large, because plotters rounds to whole pixels.
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let large = FontDesc::new(FontFamily::Name(FONT_FAMILY), 100.0 * LINE_PER_EM, style);
    let (width, _) = large.box_size(text).expect("the embedded font is registered");
    f64::from(width) / 100.0 * em
}

/// `text`, cut with an ellipsis so that it is at most `width` wide.
pub fn fitted(text: &str, em: f64, bold: bool, width: f64) -> String {
    if text_width(text, em, bold) <= width {
        return text.into();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let cut = kept.iter().collect::<String>().trim_end().to_string() + "…";
        if text_width(&cut, em, bold) <= width {
            return cut;
        }
    }
    String::new()
}

impl Drawing {
    /// An empty page.
    pub fn new(height: f64) -> Self {
        let corners = vec![(0.0, 0.0), (WIDTH, 0.0), (WIDTH, height), (0.0, height)];
        let paper = Mark::Area { points: corners, color: super::style::PAPER, alpha: 1.0 };
        Drawing { height, marks: vec![paper] }
    }

    /// Adds a line.
    pub fn line(&mut self, points: Vec<Point>, pen: Pen) {
        self.marks.push(Mark::Line { points, pen });
    }

    /// Adds a filled outline.
    pub fn area(&mut self, points: Vec<Point>, color: RGBColor, alpha: f64) {
        self.marks.push(Mark::Area { points, color, alpha });
    }

    /// Adds a filled circle.
    pub fn dot(&mut self, center: Point, radius: f64, color: RGBColor, alpha: f64) {
        self.marks.push(Mark::Dot { center, radius, color, alpha });
    }

    /// Adds a text.
    pub fn text(&mut self, text: Text) {
        self.marks.push(Mark::Text(text));
    }

    /// All texts, in painting order.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Text(text) => Some(text),
            _ => None,
        })
    }
}
