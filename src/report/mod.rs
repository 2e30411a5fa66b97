//! Results for people: terminal text, charts, one HTML page, and the folder
//! that holds them all.
//!
//! Everything but the manifest is a pure function of summary, series and
//! resolved scenario, so equal runs give equal bytes.

mod cache;
mod charts;
mod comparison;
mod figure;
mod font;
mod forecast;
mod glossary;
mod html;
mod outputs;
mod page;
mod regions;
mod run;
mod seek;
mod story;
mod sweep;
mod table;
mod terminal;
mod timeline;
mod windows;

pub use cache::CacheReport;
pub use charts::{Chart, Drawing, Mark, Text, WIDTH, charts, png, replay_chart, svg};
pub use comparison::{comparison, comparison_html, comparison_terminal};
pub use figure::{Figure, Measure};
pub use forecast::{forecast, forecast_terminal};
pub use html::html;
pub use outputs::{
    Artifact, Facts, Identity, Outputs, default_dir, ensure_writable, json, sweep_dir, write,
};
pub use run::run;
pub use seek::{seek, seek_html, seek_over, seek_over_terminal, seek_terminal};
pub use sweep::{SweepWriter, sweep_text};
pub use terminal::terminal;
pub use timeline::{CALL_BYTES, TimelineWritten, write as write_timeline};
