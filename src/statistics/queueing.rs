//! Closed forms of queueing theory: what simulations are checked against, and
//! first guesses of sizes.
//!
//! Rates are per second, times in seconds. `wait` is time in queue, `sojourn`
//! is wait plus service. Loads must be below one unless said otherwise.

fn assert_stable(load: f64) {
    assert!((0.0..1.0).contains(&load), "load {load} is not in 0..1");
}

/// Mean wait in M/G/1 (Pollaczek-Khinchine); `cv2` is the squared coefficient
/// of variation of service: 1 exponential, 0 constant.
pub fn mg1_wait(rate: f64, service: f64, cv2: f64) -> f64 {
    let load = rate * service;
    assert_stable(load);
    load * service * (1.0 + cv2) / (2.0 * (1.0 - load))
}

/// Mean wait in M/M/1.
pub fn mm1_wait(rate: f64, service: f64) -> f64 {
    mg1_wait(rate, service, 1.0)
}

/// Mean wait in M/D/1.
pub fn md1_wait(rate: f64, service: f64) -> f64 {
    mg1_wait(rate, service, 0.0)
}

/// Mean sojourn in M/M/1.
pub fn mm1_sojourn(rate: f64, service: f64) -> f64 {
    mm1_wait(rate, service) + service
}

/// Quantile of the sojourn in M/M/1, which is exponential.
pub fn mm1_sojourn_quantile(rate: f64, service: f64, fraction: f64) -> f64 {
    -mm1_sojourn(rate, service) * libm::log(1.0 - fraction)
}

/// Share of calls lost in M/M/1/K, `room` places in all; any load.
pub fn mm1k_loss(load: f64, room: u32) -> f64 {
    // Recursion over places, stable where the textbook ratio is 0/0 at load 1.
    (0..room).fold(1.0, |loss, _| load * loss / (1.0 + load * loss))
}

/// Erlang B: share of calls lost by `servers` servers without waiting room
/// that are offered `load` erlangs (any load).
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |loss, n| load * loss / (f64::from(n) + load * loss))
}

/// Erlang C: share of calls that wait in M/M/c offered `load` erlangs.
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let per_server = load / f64::from(servers);
    assert_stable(per_server);
    let loss = erlang_b(servers, load);
    loss / (1.0 - per_server * (1.0 - loss))
}

/// Mean wait in M/M/c.
pub fn mmc_wait(rate: f64, service: f64, servers: u32) -> f64 {
    let load = rate * service;
    erlang_c(servers, load) * service / (f64::from(servers) - load)
}

/// P(wait > t) in M/M/c.
pub fn mmc_wait_exceeds(rate: f64, service: f64, servers: u32, t: f64) -> f64 {
    let load = rate * service;
    erlang_c(servers, load) * libm::exp(-(f64::from(servers) - load) * t / service)
}

/// Mean sojourn of a call of `size` seconds of work in M/G/1 under processor
/// sharing: whatever the law of sizes.
pub fn ps_sojourn(load: f64, size: f64) -> f64 {
    assert_stable(load);
    size / (1.0 - load)
}

/// Mean sojourn through single exponential servers in a row (Jackson).
pub fn tandem_sojourn(rate: f64, services: &[f64]) -> f64 {
    services.iter().map(|&service| mm1_sojourn(rate, service)).sum()
}

/// Throughput and mean response of one exponential server asked by `clients`
/// who think for `think` seconds between an answer and the next question, by
/// mean value analysis.
pub fn closed_loop(clients: u32, think: f64, service: f64) -> (f64, f64) {
    let (mut throughput, mut response) = (0.0, service);
    for n in 1..=clients {
        response = service * (1.0 + throughput * response);
        throughput = f64::from(n) / (think + response);
    }
    (throughput, response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(value: f64, exact: f64) {
        assert!((value / exact - 1.0).abs() < 5e-6, "{value} instead of {exact}");
    }

    #[test]
    fn single_servers() {
        close(mm1_wait(0.8, 1.0), 4.0);
        close(mm1_sojourn(0.8, 1.0), 5.0);
        close(mm1_sojourn_quantile(0.8, 1.0, 0.99), 23.0259);
        close(md1_wait(0.8, 1.0), 2.0);
        close(mg1_wait(0.8, 1.0, std::f64::consts::E - 1.0), 5.436564);
        close(mm1k_loss(0.8, 8), 0.0387562);
        close(mm1k_loss(1.0, 8), 1.0 / 9.0);
        close(ps_sojourn(0.8, 5.0), 25.0);
        close(tandem_sojourn(0.8, &[1.0, 0.8, 0.5]), 8.055556);
    }

    #[test]
    fn many_servers() {
        close(erlang_b(5, 3.0), 0.110054);
        close(erlang_b(64, 57.6), 0.0431235);
        close(erlang_c(4, 3.2), 0.596432);
        close(erlang_c(8, 6.4), 0.457645);
        close(erlang_c(64, 57.6), 0.310663);
        close(mmc_wait(3.2, 1.0, 4), 0.745541);
        close(mmc_wait(6.4, 1.0, 8), 0.286028);
        close(mmc_wait(57.6, 1.0, 64), 0.0485411);
        close(mmc_wait_exceeds(3.2, 1.0, 4, 1.0), 0.267994);
    }

    #[test]
    fn a_closed_loop() {
        let (throughput, response) = closed_loop(20, 10.0, 1.0);
        close(throughput, 0.998131);
        close(response, 10.037451);
        assert_eq!(closed_loop(1, 10.0, 2.0), (1.0 / 12.0, 2.0));
    }
}
