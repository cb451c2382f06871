//! What the best policy of all would take: one that knows the true distribution and need not learn anything.

use super::times::Times;

/// The grid of moments at which the policy may poll, in seconds.
const STEP: f64 = 0.25;
/// No task takes longer, and no pause does.
const MOMENTS: usize = 4_000;
const LONGEST_PAUSE: usize = 480;

/// The requests of one task, its creation included, at a mean delay in seconds: by dynamic programming over all moments.
///
/// Each poll costs one, each second of delay costs a price; the price is sought at which the mean delay is the given one.
pub fn requests(times: &Times, delay: f64) -> f64 {
    let ended: Vec<f64> = (0..MOMENTS)
        .map(|moment| times.ended(moment as f64 * STEP))
        .collect();
    let mut since = vec![0.0; MOMENTS];
    for moment in 1..MOMENTS {
        since[moment] = since[moment - 1] + (ended[moment - 1] + ended[moment]) / 2.0 * STEP;
    }
    let outlook = Outlook { ended, since };
    let (mut low, mut high) = (0.01_f64, 200.0_f64);
    let mut polls = 0.0;
    for _ in 0..24 {
        let price = (low * high).sqrt();
        let (polls_then, delay_then) = outlook.best(price);
        if delay_then > delay {
            low = price;
        } else {
            high = price;
            polls = polls_then;
        }
    }
    1.0 + polls
}

/// The chance to have ended at each moment, and the mean time since.
struct Outlook {
    ended: Vec<f64>,
    since: Vec<f64>,
}

impl Outlook {
    /// The mean delay that falls to a poll at `to`, if the one before was at `from`.
    fn delay(&self, from: usize, to: usize) -> f64 {
        self.since[to] - self.since[from] - self.ended[from] * (to - from) as f64 * STEP
    }

    /// Polls and delay of the best policy at a price of delay.
    fn best(&self, price: f64) -> (f64, f64) {
        let last = MOMENTS - 1;
        let mut cost = vec![0.0; MOMENTS];
        let mut next = vec![last; MOMENTS];
        for from in (0..last).rev() {
            // The first poll may be anywhere, since most of the time before it is of no interest.
            let most = match from {
                0 => last,
                _ => last.min(from + LONGEST_PAUSE),
            };
            let alive = 1.0 - self.ended[from];
            let price_of = |to: usize| alive + price * self.delay(from, to) + cost[to];
            let best =
                (from + 1..=most).min_by(|one, other| price_of(*one).total_cmp(&price_of(*other)));
            next[from] = best.unwrap_or(last);
            cost[from] = price_of(next[from]);
        }
        let (mut polls, mut delay, mut at) = (0.0, 0.0, 0);
        while at < last && 1.0 - self.ended[at] > 1e-9 {
            polls += 1.0 - self.ended[at];
            delay += self.delay(at, next[at]);
            at = next[at];
        }
        (polls, delay)
    }
}
