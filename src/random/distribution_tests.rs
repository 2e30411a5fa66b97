//! Distributions against exact CDFs, rand_distr, and their own first draws.

use super::*;
use crate::random::{Component, Streams, entity};
use proptest::prelude::*;
use statrs::distribution::ContinuousCDF;

fn stream(item: u64) -> Stream {
    Streams::new(42, 0).stream(Component::Output, entity("test"), item)
}

fn sorted(n: usize, mut draw: impl FnMut() -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = (0..n).map(|_| draw()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The largest distance between an empirical and an exact CDF, times sqrt(n).
fn kolmogorov(sorted: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().fold(0.0, |most: f64, (i, &x)| {
        let exact = cdf(x);
        most.max((exact - i as f64 / n).abs()).max(((i + 1) as f64 / n - exact).abs())
    });
    distance * n.sqrt()
}

/// The largest distance between two empirical CDFs, in units of its null law.
fn kolmogorov_two(a: &[f64], b: &[f64]) -> f64 {
    let share = |of: &[f64], x: f64| of.partition_point(|&y| y <= x) as f64 / of.len() as f64;
    let distance = a.iter().fold(0.0, |most: f64, &x| most.max((share(a, x) - share(b, x)).abs()));
    distance * (a.len() as f64 / 2.0).sqrt()
}

/// Exceeded once in a thousand samples when the laws agree.
const KOLMOGOROV_001: f64 = 1.95;
const N: usize = 20_000;

#[test]
fn continuous_laws_follow_their_exact_cdf() {
    use statrs::distribution as exact;
    type Case = (Distribution, Box<dyn Fn(f64) -> f64>);
    fn case(
        law: Result<Distribution, String>,
        cdf: impl ContinuousCDF<f64, f64> + 'static,
    ) -> Case {
        (law.unwrap(), Box::new(move |x| cdf.cdf(x)))
    }
    type D = Distribution;
    let sigma2: f64 = (1.0f64 + 0.25).ln(); // of a lognormal with cv 0.5
    let cases = [
        case(D::uniform(-2.0, 3.0), exact::Uniform::new(-2.0, 3.0).unwrap()),
        case(D::exponential(4.0), exact::Exp::new(0.25).unwrap()),
        case(D::normal(5.0, 2.0), exact::Normal::new(5.0, 2.0).unwrap()),
        case(D::lognormal(900.0, 0.9), exact::LogNormal::new(900f64.ln(), 0.9).unwrap()),
        case(
            D::lognormal_mean_cv(7.0, 0.5),
            exact::LogNormal::new(7f64.ln() - 0.5 * sigma2, sigma2.sqrt()).unwrap(),
        ),
        case(D::gamma(3.5, 2.0), exact::Gamma::new(3.5, 0.5).unwrap()),
        case(D::gamma(0.3, 2.0), exact::Gamma::new(0.3, 0.5).unwrap()),
        case(D::gamma_mean_cv(6.0, 2.0), exact::Gamma::new(0.25, 1.0 / 24.0).unwrap()),
        case(D::beta(18.8, 31.2, 1.0), exact::Beta::new(18.8, 31.2).unwrap()),
        case(D::beta(0.05, 0.4, 1.0), exact::Beta::new(0.05, 0.4).unwrap()),
        case(D::beta(3.9, 0.5, 1.0), exact::Beta::new(3.9, 0.5).unwrap()),
        case(D::weibull(0.7, 3.0), exact::Weibull::new(0.7, 3.0).unwrap()),
        case(D::weibull_mean(2.0, 3.0), {
            exact::Weibull::new(2.0, 6.0 / std::f64::consts::PI.sqrt()).unwrap()
        }),
        case(D::pareto(2.0, 1.5), exact::Pareto::new(2.0, 1.5).unwrap()),
        (
            D::quantiles(&[(0.0, 1.0), (0.5, 2.0), (1.0, 10.0)]).unwrap(),
            Box::new(|x| if x < 2.0 { (x - 1.0) / 2.0 } else { 0.5 + (x - 2.0) / 16.0 }),
        ),
        (
            D::mixture(vec![
                (3.0, D::exponential(1.0).unwrap()),
                (1.0, D::uniform(10.0, 20.0).unwrap()),
            ])
            .unwrap(),
            Box::new(|x| 0.75 * (1.0 - (-x).exp()) + 0.25 * ((x - 10.0) / 10.0).clamp(0.0, 1.0)),
        ),
    ];
    for (index, (law, cdf)) in cases.iter().enumerate() {
        let mut stream = stream(index as u64);
        let draws = sorted(N, || law.sample(&mut stream));
        let distance = kolmogorov(&draws, cdf);
        assert!(distance < KOLMOGOROV_001, "{law:?}: {distance}");
    }
}

#[test]
fn discrete_laws_follow_their_exact_probabilities() {
    let harmonic: f64 = (1..=50).map(|k| f64::from(k).powf(-1.1)).sum();
    let zipf: Vec<f64> = (1..=50).map(|k| f64::from(k).powf(-1.1) / harmonic).collect();
    let cases = [
        (Distribution::zipf(50, 1.1).unwrap(), (1..=50).map(f64::from).collect(), zipf),
        (Distribution::zipf(3, 0.0).unwrap(), vec![1.0, 2.0, 3.0], vec![1.0 / 3.0; 3]),
        (
            Distribution::empirical(&[9.0, 1.0, 4.0, 5.0], &[1.0, 2.0, 0.0, 5.0]).unwrap(),
            vec![1.0, 5.0, 9.0],
            vec![0.25, 0.625, 0.125],
        ),
    ];
    for (law, values, probabilities) in cases {
        let values: Vec<f64> = values;
        let mut stream = stream(100);
        let mut counts = vec![0.0; values.len()];
        for _ in 0..N {
            let draw = law.sample(&mut stream);
            counts[values.iter().position(|&value| value == draw).expect("a listed value")] += 1.0;
        }
        let chi2: f64 = std::iter::zip(&counts, &probabilities)
            .map(|(count, p)| (count - p * N as f64).powi(2) / (p * N as f64))
            .sum();
        let freedom = (values.len() - 1) as f64;
        let bound = statrs::distribution::ChiSquared::new(freedom).unwrap().inverse_cdf(0.999);
        assert!(chi2 < bound, "{law:?}: {chi2} >= {bound}");
    }
}

#[test]
fn rand_distr_draws_from_the_same_laws() {
    fn draws(law: impl rand_distr::Distribution<f64>) -> Vec<f64> {
        let mut stream = stream(200);
        sorted(N, || law.sample(&mut stream))
    }
    type D = Distribution;
    let cases = [
        (D::exponential(2.0), draws(rand_distr::Exp::new(0.5).unwrap())),
        (D::normal(1.0, 3.0), draws(rand_distr::Normal::new(1.0, 3.0).unwrap())),
        (D::lognormal(1.0, 0.5), draws(rand_distr::LogNormal::new(0.0, 0.5).unwrap())),
        (D::gamma(0.5, 2.0), draws(rand_distr::Gamma::new(0.5, 2.0).unwrap())),
        (D::gamma(20.0, 2.0), draws(rand_distr::Gamma::new(20.0, 2.0).unwrap())),
        (D::beta(3.9, 1.08, 1.0), draws(rand_distr::Beta::new(3.9, 1.08).unwrap())),
        (D::weibull(1.7, 2.0), draws(rand_distr::Weibull::new(2.0, 1.7).unwrap())),
        (D::pareto(1.0, 2.5), draws(rand_distr::Pareto::new(1.0, 2.5).unwrap())),
        (D::zipf(1000, 0.8), draws(rand_distr::Zipf::new(1000.0, 0.8).unwrap())),
        (D::zipf(100_000, 1.0), draws(rand_distr::Zipf::new(100_000.0, 1.0).unwrap())),
        (D::zipf(1000, 2.2), draws(rand_distr::Zipf::new(1000.0, 2.2).unwrap())),
    ];
    for (law, theirs) in cases {
        let law = law.unwrap();
        let mut stream = stream(201);
        let ours = sorted(N, || law.sample(&mut stream));
        let distance = kolmogorov_two(&ours, &theirs);
        assert!(distance < KOLMOGOROV_001, "{law:?}: {distance}");
    }
}

#[test]
fn exact_means_agree_with_sample_means() {
    type D = Distribution;
    let part = D::gamma(2.0, 5.0).unwrap();
    let cases = [
        (D::uniform(-2.0, 3.0), 0.5),
        (D::exponential(4.0), 4.0),
        (D::normal(5.0, 2.0), 5.0),
        (D::lognormal(2.0, 0.5), 2.0 * 0.125f64.exp()),
        (D::lognormal_mean_cv(7.0, 0.5), 7.0),
        (D::gamma_mean_cv(6.0, 0.5), 6.0),
        (D::weibull_mean(0.8, 3.0), 3.0),
        (D::pareto(2.0, 3.0), 3.0),
        (D::zipf(3, 1.0), 18.0 / 11.0),
        (D::empirical(&[1.0, 2.0, 9.0], &[2.0, 1.0, 1.0]), 3.25),
        (D::quantiles(&[(0.0, 1.0), (0.5, 2.0), (1.0, 10.0)]), 3.75),
        (D::mixture(vec![(1.0, part), (3.0, D::constant(2.0).unwrap())]), 4.0),
    ];
    for (law, expected) in cases {
        let law = law.unwrap();
        let exact = law.mean().unwrap();
        assert!((exact / expected - 1.0).abs() < 1e-12, "{law:?}: {exact}");
        let mut stream = stream(300);
        let draws = sorted(N, || law.sample(&mut stream));
        let mean = draws.iter().sum::<f64>() / N as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (N - 1) as f64;
        let error = (variance / N as f64).sqrt();
        assert!((mean - exact).abs() < 4.0 * error, "{law:?}: {mean} +- {error}");
    }
    assert_eq!(D::pareto(1.0, 1.0).unwrap().mean(), None);
    assert_eq!(D::lognormal(1.0, 1e3).unwrap().mean(), None);
    assert_eq!(D::exponential(1.0).unwrap().with_bounds(0.0, 1.0).unwrap().mean(), None);
    assert_eq!(D::constant(7.0).unwrap().with_bounds(0.0, 5.0).unwrap().mean(), Some(5.0));
}

#[test]
fn draws_by_inversion_rise_with_their_uniform() {
    type D = Distribution;
    let laws = [
        D::uniform(-2.0, 3.0),
        D::exponential(4.0),
        D::normal(5.0, 2.0),
        D::lognormal(900.0, 0.9),
        D::weibull(0.7, 3.0),
        D::pareto(2.0, 1.5),
        D::empirical(&[9.0, 1.0, 4.0, 5.0], &[1.0, 2.0, 0.0, 5.0]),
        D::quantiles(&[(0.0, 1.0), (0.5, 2.0), (1.0, 10.0)]),
    ];
    for law in laws {
        let law = law.unwrap();
        let mut pairs: Vec<(f64, f64)> =
            (0..2_000).map(|item| (stream(item).unit(), law.sample(&mut stream(item)))).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(pairs.is_sorted_by(|a, b| a.1 <= b.1), "{law:?}");
    }
}

/// An upgrade or a "harmless" rewrite that moves any draw shows up here.
#[test]
fn first_draws_are_frozen() {
    type D = Distribution;
    let exponential = D::exponential(1.0).unwrap();
    let laws = [
        ("uniform", D::uniform(0.0, 1.0)),
        ("exponential", D::exponential(1.0)),
        ("normal", D::normal(0.0, 1.0)),
        ("lognormal", D::lognormal(1.0, 1.0)),
        ("gamma", D::gamma(2.5, 1.0)),
        ("gamma < 1", D::gamma(0.5, 1.0)),
        ("beta", D::beta(2.5, 4.0, 1.0)),
        ("beta < 1", D::beta(0.5, 4.0, 3.0)),
        ("weibull", D::weibull(1.5, 1.0)),
        ("pareto", D::pareto(1.0, 2.5)),
        ("zipf", D::zipf(1_000_000, 0.8)),
        ("empirical", D::empirical(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0])),
        ("quantiles", D::quantiles(&[(0.0, 0.0), (0.3, 1.0), (1.0, 5.0)])),
        ("mixture", D::mixture(vec![(0.5, exponential), (0.5, D::uniform(5.0, 6.0).unwrap())])),
    ];
    let lines = laws.map(|(name, law)| {
        let (law, mut stream) = (law.unwrap(), stream(1));
        let draws: [String; 4] =
            std::array::from_fn(|_| format!("{:016x}", law.sample(&mut stream).to_bits()));
        format!("{name}: {}", draws.join(" "))
    });
    assert_eq!(
        lines,
        [
            "uniform: 3fe5dd22e102e1d1 3fee04650de0a8ad 3fdb7c4af79bd902 3fc1aa0bb66f3bfc",
            "exponential: 3ff264dc31c7aadc 40063feaa349cc11 3fe1f52382a8a9a9 3fc3021eb2812fee",
            "normal: 3fde83ba4133efc6 3ff89daf5c1e6d65 bfc6c0616de54e28 bff16df047dfa468",
            "lognormal: 3ff9c639fb770fd9 4012a15e419c78e2 3feac9f95f3f2233 3fd588348bb1ad3b",
            "gamma: 4007936d694e3282 3ffea59115e1ffd8 3fe11470d3b587dd 402019e512aefb85",
            "gamma < 1: 3fd4c9dfcc715c68 3fca32cd458a6050 3fadcfa7eb1462a3 3fee5a27e87c1154",
            "beta: 3fde03e4d188d060 3fa8ace695f02f82 3fd0e51c08ac8db7 3fd5d69bbef26b04",
            "beta < 1: 3fdb666e1d6dabc0 3fdfe213354f96c4 3fb1ad7e2488d7be 3f6287f5943cc9b2",
            "weibull: 3ff18f022811313c 3fffa4929df35a5f 3fe5c56b59a233d2 3fd1f289be7fb4e5",
            "pareto: 3ff95764338ce3d0 400855d1def40a39 3ff406cb50a5965e 3ff0faad722dc227",
            "zipf: 40b5fd0000000000 4034000000000000 40f2218000000000 411e5e6400000000",
            "empirical: 4010000000000000 4010000000000000 4008000000000000 4000000000000000",
            "quantiles: 4009850d4171d4e2 4012956cc0c50ac6 3ffbd621f4033604 3fdd70be300eb94f",
            "mixture: 4017c08ca1bc1516 3fc3021eb2812fee 3ff7d3707b6b83d7 401592c78a4db027",
        ]
    );
}

#[test]
fn tokens_are_rounded_and_bounded() {
    let tokens = |value| Distribution::constant(value).unwrap().sample_tokens(&mut stream(0));
    assert_eq!([2.49, 2.5, 0.2, -7.0, 1e300].map(tokens), [2, 3, 1, 1, u32::MAX / 4]);
    let bounded = Distribution::pareto(1.0, 0.1).unwrap().with_bounds(2.0, 3.0).unwrap();
    let mut stream = stream(1);
    assert!((0..100).all(|_| (2.0..=3.0).contains(&bounded.sample(&mut stream))));
    assert!(!bounded.is_constant() && bounded.with_bounds(2.0, 2.0).unwrap().is_constant());
}

#[test]
fn mistakes_are_named() {
    let error = |result: Result<Distribution, String>| result.unwrap_err();
    assert_eq!(
        error(Distribution::lognormal(1.0, -1.0)),
        "sigma must be positive and finite, not -1"
    );
    assert_eq!(
        error(Distribution::uniform(3.0, 3.0)),
        "low must be below high, but low is 3 and high is 3"
    );
    assert_eq!(
        error(Distribution::empirical(&[1.0], &[0.0])),
        "weights must have a positive, finite sum, not 0"
    );
    assert!(error(Distribution::mixture(vec![])).starts_with("weights"));
    assert!(error(Distribution::empirical(&[1.0], &[])).contains("1 values and 0 weights"));
    assert!(error(Distribution::quantiles(&[(0.0, 1.0), (0.9, 2.0)])).starts_with("fractions"));
}

fn any_number() -> impl Strategy<Value = f64> {
    let special = [0.0, -1.0, 1e-308, 1e308, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1.0];
    prop_oneof![any::<f64>(), 0.0..10.0, prop::sample::select(special.to_vec())]
}

proptest! {
    #[test]
    fn constructors_never_panic_and_draws_are_numbers(
        a in any_number(),
        b in any_number(),
        n in any::<u64>(),
        values in prop::collection::vec((any_number(), any_number()), 0..5),
    ) {
        type D = Distribution;
        let (left, right): (Vec<f64>, Vec<f64>) = values.iter().copied().unzip();
        let laws = [
            D::constant(a), D::uniform(a, b), D::exponential(a), D::normal(a, b),
            D::lognormal(a, b), D::lognormal_mean_cv(a, b), D::gamma(a, b), D::gamma_mean_cv(a, b),
            D::beta(a, b, 2.0), D::beta(a, 0.5, b), D::weibull(a, b), D::weibull_mean(a, b), D::pareto(a, b), D::zipf(n, a), D::zipf(3, b),
            D::empirical(&left, &right), D::quantiles(&values),
        ];
        let mut stream = stream(n);
        for law in laws.into_iter().flatten() {
            prop_assert!(law.mean().is_none_or(f64::is_finite));
            prop_assert!(law.mean_up_to(b).is_none_or(f64::is_finite) || !b.is_finite());
            let mixed = D::mixture(vec![(a, law.clone()), (b, law.clone())]);
            for law in [Ok(law.clone()), law.with_bounds(a, b), mixed].into_iter().flatten() {
                let draw = law.sample(&mut stream);
                prop_assert!(!draw.is_nan(), "{law:?}");
                prop_assert!((1..=u32::MAX / 4).contains(&law.sample_tokens(&mut stream)));
            }
        }
    }
}
