//! The charts of a run, as SVG text and PNG files.
//!
//! Each chart is a pure function from the series to a [`Drawing`]: a list of
//! marks that one painter puts on either backend of plotters. Fonts are
//! embedded, nothing depends on the system, equal input gives equal bytes.

mod axis;
mod demand;
mod drawing;
pub mod forest;
mod latency;
mod load;
pub mod miss_ratio;
mod paint;
mod panel;
mod path;
mod replay;
mod seek;
mod seek_over;
mod style;
mod sweep;
mod throughput;
mod waterfall;
mod windows;

pub use demand::draw as demand_chart;
pub use drawing::{Drawing, Mark, Text, WIDTH};
pub use paint::{png, svg};
pub use replay::draw as replay_chart;
pub use seek::draw as seek_chart;
pub use seek_over::draw as seek_over_chart;
pub use sweep::charts as sweep_charts;
pub use waterfall::draw as waterfall_chart;

use crate::study::{Series, Summary};

/// A chart with what a page around it needs.
pub struct Chart {
    /// Stem of its files.
    pub name: &'static str,
    /// Caption: what it shows and how to read it.
    pub caption: &'static str,
    /// The chart.
    pub drawing: Drawing,
}

/// All charts of a run, in reading order.
pub fn charts(summary: &Summary, series: &Series) -> Vec<Chart> {
    let remark = match summary.replications {
        1 => "One replication.".to_string(),
        n => format!("Mean of {n} replications; bands: 95 % confidence interval."),
    };
    let bars = match summary.windows.iter().any(|window| window.replications > 1) {
        true => remark.replace("bands", "bars"),
        false => "A run each.".to_owned(),
    };
    let over_time = match summary.windows.is_empty() {
        true => Chart {
            name: "load",
            caption: "Load over time. A waiting line that keeps climbing is a pool that cannot \
                      keep up; KV cache near 100 % leads to preemptions.",
            drawing: load::draw(series, summary.warm_up_s, &remark),
        },
        false => Chart {
            name: "windows",
            caption: "Windows along the horizon. Above: what is expected to be asked for, and which \
                      parts of it ran. Below: what these came to; bars are intervals, large dots \
                      are windows in which a pool cannot keep up.",
            drawing: windows::draw(summary, series, &bars),
        },
    };
    let path = path::draw(summary).map(|drawing| Chart {
        name: "path",
        caption: "Where the time of the runs of agents goes. Each bar is the mean run of a band of \
                  percentiles of run latency, divided by what it waited for: what is tall on the \
                  right makes slow runs slow.",
        drawing,
    });
    let mut charts = vec![
        Chart {
            name: "latency",
            caption: "Latency distributions. A curve at 95 % over 300 ms says that 95 of 100 \
                      calls took 300 ms or less; the further left, the faster.",
            drawing: latency::draw(series, &remark),
        },
        over_time,
        Chart {
            name: "throughput",
            caption: "Throughput against interactivity. Larger batches move a pool up and to the \
                      left: more tokens from each GPU, fewer each second for each user.",
            drawing: throughput::draw(series),
        },
    ];
    charts.extend(path);
    charts
}
