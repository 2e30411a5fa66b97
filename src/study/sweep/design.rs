//! From axes to points: the values of every key at every point.
//!
//! Points are computed when asked for; only the permutations of a Latin
//! hypercube are kept, 4 bytes a point and axis.

use crate::random::{Component, Streams, entity};
use crate::scenario::sweep::{Axis, Design, Sweep};
use crate::scenario::tree::Node;

/// The points of a sweep.
#[derive(Debug)]
pub struct Points {
    sweep: Sweep,
    seed: u64,
    /// By axis, the stratum of each point (Latin hypercube only).
    strata: Vec<Vec<u32>>,
}

impl Points {
    /// The points of `sweep` under the root seed `seed`.
    pub fn new(sweep: Sweep, seed: u64) -> Points {
        let strata = match sweep.design {
            Design::LatinHypercube => {
                sweep.axes.iter().map(|axis| permutation(seed, axis, sweep.points)).collect()
            }
            Design::Grid | Design::Sobol => Vec::new(),
        };
        Points { sweep, seed, strata }
    }

    /// How many points there are.
    pub fn count(&self) -> u32 {
        self.sweep.points
    }

    /// What varies.
    pub fn axes(&self) -> &[Axis] {
        &self.sweep.axes
    }

    /// How they are chosen.
    pub fn design(&self) -> Design {
        self.sweep.design
    }

    /// Every key that varies with its value at `point`.
    pub fn at(&self, point: u32) -> Vec<(&str, Node)> {
        let axes = self.sweep.axes.iter().enumerate();
        axes.map(|(index, axis)| (axis.path.as_str(), self.value(point, index, axis))).collect()
    }

    fn value(&self, point: u32, index: usize, axis: &Axis) -> Node {
        match self.sweep.design {
            Design::Grid => {
                let later = self.sweep.axes[index + 1..].iter();
                let stride: u32 = later.map(Axis::len).product();
                axis.nth(point / stride % axis.len())
            }
            Design::LatinHypercube => axis.at(self.share(point, index)),
            Design::Sobol => {
                let scramble = (self.seed ^ self.seed >> 32) as u32;
                axis.at(f64::from(sobol_burley::sample(point, index as u32, scramble)))
            }
        }
    }

    /// Where `point` lies on an axis of a Latin hypercube: at random within its stratum.
    fn share(&self, point: u32, index: usize) -> f64 {
        let stratum = self.strata[index][point as usize];
        let streams = Streams::new(self.seed, 0);
        let owner = entity(&self.sweep.axes[index].path);
        let unit = streams.stream(Component::Design, owner, 1 + u64::from(point)).unit();
        (f64::from(stratum) + 1.0 - unit) / f64::from(self.count())
    }
}

/// A random order of the strata of an axis (Fisher and Yates).
fn permutation(seed: u64, axis: &Axis, points: u32) -> Vec<u32> {
    let mut stream = Streams::new(seed, 0).stream(Component::Design, entity(&axis.path), 0);
    let mut strata: Vec<u32> = (0..points).collect();
    for last in (1..points).rev() {
        strata.swap(last as usize, stream.below(last + 1) as usize);
    }
    strata
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, parse};
    use std::path::Path;

    const BASE: &str = "name = \"s\"\nduration = \"1 min\"\n[[pool]]\nname = \"a\"\n\
        model = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n[[use_case]]\nname = \"c\"\n\
        arrivals = { process = \"poisson\", rate = \"2 /s\" }\nprompt_tokens = 100\n\
        output_tokens = 20\n[sweep]\n";

    fn points(sweep: &str, seed: u64) -> Points {
        let loaded = parse(&format!("{BASE}{sweep}"), "s", Path::new(""), &Overrides::default());
        Points::new(loaded.unwrap().sweep.unwrap(), seed)
    }

    fn written(points: &Points) -> Vec<String> {
        let at = |point| {
            let values = points.at(point);
            values.iter().map(|(_, node)| node.to_toml().to_string()).collect::<Vec<_>>().join(" ")
        };
        (0..points.count()).map(at).collect()
    }

    #[test]
    fn a_grid_is_every_combination_the_last_axis_fastest() {
        let grid = points(
            "\"pool.a.replicas\" = [1, 4]\n\
             \"use_case.c.arrivals.rate\" = { from = \"0.1 /s\", to = \"0.5 /s\", points = 5 }",
            1,
        );
        let rates = ["0.1", "0.2", "0.3", "0.4", "0.5"];
        let expected = [1, 4].map(|n| rates.map(|rate| format!("{n} \"{rate} /s\"")));
        assert_eq!(written(&grid), expected.concat());
        let log = "{ from = 1, to = 1000, points = 4, scale = \"log\" }";
        let log = points(&format!("\"pool.a.replicas\" = {log}"), 1);
        assert_eq!(written(&log), ["1", "10", "100", "1000"]);
    }

    #[test]
    fn every_stratum_of_a_latin_hypercube_holds_exactly_one_point() {
        let sweep = "design = \"latin-hypercube\"\npoints = 1000\n\
            \"pool.a.replicas\" = { from = 1, to = 1000 }\n\
            \"pool.a.pue\" = { from = 1.0, to = 2.0 }\n\
            \"use_case.c.arrivals.rate\" = { from = \"1 /s\", to = \"9 /s\", scale = \"log\" }";
        let cube = points(sweep, 7);
        for axis in 0..3 {
            let mut seen = [0; 1000];
            (0..1000).for_each(|point| seen[(cube.share(point, axis) * 1000.0) as usize] += 1);
            assert_eq!(seen, [1; 1000]);
        }
        // A thousand whole values in a thousand strata: each once.
        let replicas = |points: &Points, point| points.at(point)[0].1.to_toml().as_integer();
        let mut all: Vec<_> = (0..1000).map(|point| replicas(&cube, point).unwrap()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(1..=1000));
        // Axes are shuffled independently of each other, and anew by every seed.
        let corner = |points: &Points| {
            (0..1000).filter(|&p| points.strata[0][p] == points.strata[1][p]).count()
        };
        assert!(corner(&cube) < 10);
        assert_ne!(written(&cube), written(&points(sweep, 8)));
        assert_eq!(written(&cube), written(&points(sweep, 7)));
    }

    #[test]
    fn sobol_points_fill_the_plane_evenly() {
        let sweep = "design = \"sobol\"\npoints = 256\n\
            \"pool.a.pue\" = { from = 1.0, to = 2.0 }\n\
            \"pool.a.engine.step_scale\" = { from = 1.0, to = 2.0 }";
        let points = points(sweep, 3);
        // A (0, 8, 2) net: one point in each of the 16 x 16 squares.
        let mut seen = [[0; 16]; 16];
        for point in 0..256 {
            let place = |axis: usize| {
                let value = points.at(point)[axis].1.to_toml().as_float().unwrap();
                ((value - 1.0) * 16.0) as usize
            };
            seen[place(0)][place(1)] += 1;
        }
        assert_eq!(seen, [[1; 16]; 16]);
    }
}
