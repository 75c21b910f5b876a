//! Rates per window of time, as ServeGen publishes them for pools and clients, played as arrivals.
//!
//! Each client is a renewal process with gamma times between its requests, mean one over the rate and coefficient of
//! variation as its window says (a Poisson process where the file has none), run on a clock that counts expected
//! requests: it begins in equilibrium, and a window expects its rate times its length whatever the variation. The file
//! is held in memory, what it makes is not. Lengths are drawn from quantiles, prompt and answer independently: straight
//! lines between the least length, the published percentiles and the greatest length, which is set so that the mean is
//! the published one; where the mean is below what the percentiles allow, the least length is lowered instead.

use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};

use rand::distr::Distribution as _;
use rand_distr::Gamma;

use super::super::trace::{TraceError, delimiter_of, found, named, open, shortened};
use super::lines::{Line, Lines, cells};
use super::{ReplayAccount, ReplayError, ReplayOptions, Row, WindowLengths, failed_read, mixed};
use crate::sim::{Draws, Prefix};

/// Rows of a file of windows that are held in memory at most.
const WINDOWS_MAX: usize = 5_000_000;

/// Variation between 0.01 (as good as a clock) and 100.
const CV: (f64, f64) = (0.01, 100.0);

const TOKENS_MAX: f64 = 1e9;

/// Whether a file with these columns is one of rates.
pub(super) fn are_windows(names: &[String]) -> bool {
    named(names, "window_start_s").is_some() && named(names, "rate_req_s").is_some()
}

/// A rate from a moment on.
struct Window {
    start: f64,
    /// Requests per second.
    rate: f64,
    cv: f64,
}

/// A client's windows and where it is in them.
struct Client {
    windows: Vec<Window>,
    lengths: Vec<Since>,
    gaps: Draws,
    sizes: Draws,
    /// Window of the last arrival, or of the beginning, and that moment.
    at: usize,
    now: f64,
    first: bool,
}

/// All clients of a pool, in order of time.
pub(super) struct Windows {
    clients: Vec<Client>,
    window_secs: f64,
    /// Next request of each client that has one.
    next: BinaryHeap<Next>,
    made: u64,
    unique: u64,
}

#[derive(PartialEq)]
struct Next {
    at: f64,
    client: usize,
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The greatest of a heap comes first.
        other.at.total_cmp(&self.at).then(other.client.cmp(&self.client))
    }
}

impl Windows {
    /// Reads the windows and the lengths; `pass` draws anew.
    pub fn new(
        path: &Path,
        options: &ReplayOptions,
        lines: Lines,
        (names, delimiter): (&[String], u8),
        pass: u32,
        account: &mut ReplayAccount,
    ) -> Result<Self, ReplayError> {
        let mut table = Table { path: path.to_owned(), lines, names: names.to_vec(), delimiter };
        let pools = rates(&mut table)?;
        let (pool, rates) = chosen(path, options, pools)?;
        let window_secs = shortest(&rates).ok_or_else(|| {
            ReplayError::Trace(TraceError::NoRows {
                path: path.to_owned(),
                why: "a single window has no length; give at least two".to_owned(),
            })
        })?;
        let lengths = lengths(path, options, &pool)?;
        let typical = lengths.typical(&rates, &pool)?;
        let (mut clients, mut without) = (Vec::new(), (0, 0.0, 0.0));
        for (name, windows) in rates {
            let expected: f64 = windows.iter().map(|window| window.rate).sum();
            without.2 += expected;
            let lengths = lengths.of(&name).unwrap_or_else(|| {
                without = (without.0 + 1, without.1 + expected, without.2);
                vec![typical.clone()]
            });
            let draws = |what: &str| Draws::new(options.seed, &format!("replay.{pool}.{name}.{pass}.{what}"));
            clients.push(Client {
                now: windows.first().map_or(0.0, |window| window.start),
                windows,
                lengths,
                gaps: draws("gaps"),
                sizes: draws("lengths"),
                at: 0,
                first: true,
            });
        }
        let mut all =
            Self { clients, window_secs, next: BinaryHeap::new(), made: 0, unique: u64::from(pass) << 40 };
        for client in 0..all.clients.len() {
            all.draw(client);
        }
        account.format = format!("rates per window (ServeGen), pool {pool}");
        account.notes = vec![format!(
            "arrivals are drawn: gamma times between the requests of each of {} clients at the rate and variation of \
             its window; a row is a request that was drawn",
            all.clients.len()
        )];
        if without.0 > 0 {
            account.notes.push(format!(
                "{} clients with {:.0} % of the requests have no lengths in the table; theirs are the mean of the \
                 others', by requests",
                without.0,
                100.0 * without.1 / without.2
            ));
        }
        Ok(all)
    }

    fn draw(&mut self, client: usize) {
        if let Some(at) = self.clients[client].next(self.window_secs) {
            self.next.push(Next { at, client });
        }
    }

    /// The next request; `None` at the end of all windows.
    pub fn next(&mut self, account: &mut ReplayAccount) -> Option<Row> {
        let Next { at, client } = self.next.pop()?;
        self.draw(client);
        self.made += 1;
        account.rows += 1;
        let (prompt, output) = self.clients[client].lengths_at(at);
        Some(Row {
            at,
            line: self.made,
            prompt,
            output,
            prefix: Prefix::None,
            session: mixed(self.unique + self.made),
            key: None,
        })
    }
}

impl Client {
    /// When the next request comes.
    fn next(&mut self, window_secs: f64) -> Option<f64> {
        let cv = self.windows.get(self.at)?.cv.clamp(CV.0, CV.1);
        let mut left = self.gap(cv)?;
        loop {
            let window = self.windows.get(self.at)?;
            let end = window.start + window_secs;
            let from = self.now.max(window.start);
            let expected = window.rate * (end - from).max(0.0);
            if left <= expected && window.rate > 0.0 {
                self.now = (from + left / window.rate).min(end);
                return Some(self.now);
            }
            left -= expected;
            self.now = end;
            self.at += 1;
        }
    }

    /// Until the next request, counted in expected requests: mean 1. The first is what is left of a gap into which a
    /// moment falls: a uniform share of a gap that is drawn by its length.
    fn gap(&mut self, cv: f64) -> Option<f64> {
        let shape = cv.powi(-2);
        let longer = if self.first { 1.0 } else { 0.0 };
        let drawn = Gamma::new(shape + longer, 1.0 / shape).ok()?.sample(&mut self.gaps);
        let share = if self.first { self.gaps.uniform() } else { 1.0 };
        self.first = false;
        Some(drawn * share)
    }

    fn lengths_at(&mut self, at: f64) -> (u32, u32) {
        let place = self.lengths.partition_point(|(start, ..)| *start <= at).saturating_sub(1);
        let (prompt, output) = (self.sizes.uniform(), self.sizes.uniform());
        self.lengths.get(place).map_or((1, 1), |(_, p, o)| (p.at(prompt), o.at(output)))
    }
}

/// Quantiles of a length at the shares 0, 0.5, 0.95, 0.99 and 1.
#[derive(Clone, Debug)]
struct Length([f64; 5]);

const SHARES: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

impl Length {
    fn fixed(tokens: u32) -> Self {
        Self([f64::from(tokens); 5])
    }

    /// The published percentiles, and ends that keep the published mean where percentiles allow it.
    fn of(mean: f64, p50: f64, p95: f64, p99: f64) -> Self {
        let (p95, p99) = (p95.max(p50), p99.max(p95).max(p50));
        let least = if p95 > 0.0 { p50 * p50 / p95 } else { 0.0 };
        let inner = 0.45 * (p50 + p95) / 2.0 + 0.04 * (p95 + p99) / 2.0;
        let of = |least: f64| (mean - inner - 0.5 * (least + p50) / 2.0) * 2.0 / 0.01 - p99;
        let most = of(least);
        if most >= p99 {
            return Self([least, p50, p95, p99, most.min(TOKENS_MAX)]);
        }
        let least = ((mean - inner - 0.01 * p99) * 2.0 / 0.5 - p50).clamp(0.0, p50);
        Self([least, p50, p95, p99, p99])
    }

    fn add(&mut self, other: &Self, weight: f64) {
        for (sum, tokens) in self.0.iter_mut().zip(other.0) {
            *sum += tokens * weight;
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1..=1e9")]
    fn at(&self, u: f64) -> u32 {
        let after = SHARES.iter().position(|share| *share >= u).unwrap_or(4).max(1);
        let (a, b) = (SHARES[after - 1], SHARES[after]);
        let (low, high) = (self.0[after - 1], self.0[after]);
        (low + (high - low) * (u - a) / (b - a)).round().clamp(1.0, TOKENS_MAX) as u32
    }
}

/// A table that is read whole; a fault anywhere is an error, since a missing window would look like a quiet hour.
struct Table {
    path: PathBuf,
    lines: Lines,
    names: Vec<String>,
    delimiter: u8,
}

/// Values of a row: texts and numbers of the asked columns.
type Values<const T: usize, const N: usize> = ([String; T], [f64; N]);

impl Table {
    /// All rows; `texts` that are not there are `all`, `numbers` have to be there.
    fn rows<const T: usize, const N: usize>(
        &mut self,
        texts: [Option<usize>; T],
        numbers: [usize; N],
    ) -> Result<Vec<Values<T, N>>, ReplayError> {
        let mut all = Vec::new();
        let mut quoted = csv::ByteRecord::new();
        loop {
            let rows = all.len();
            let line = self.lines.next_quoted().map_err(|e| failed_read(&self.path, rows as u64, e))?;
            let (line, text) = match line {
                None => return Ok(all),
                Some(Line::TooLong(line)) => (line, &b""[..]),
                Some(Line::Text(line, text)) => (line, text),
            };
            let cells = cells(text, self.delimiter, &mut quoted);
            let cell = |at: usize| {
                cells.get(at).map_or(String::new(), |c| String::from_utf8_lossy(c).trim().to_owned())
            };
            let mut values = [0.0; N];
            for (value, at) in values.iter_mut().zip(numbers) {
                let text = cell(at);
                *value = text.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0).ok_or_else(|| {
                    ReplayError::Trace(TraceError::NoRows {
                        path: self.path.clone(),
                        why: format!(
                            "line {line}: {} is \"{}\"; write a number from 0 on",
                            self.names.get(at).map_or("", String::as_str),
                            shortened(&text)
                        ),
                    })
                })?;
            }
            all.push((texts.map(|at| at.map_or_else(|| "all".to_owned(), cell)), values));
            if all.len() > WINDOWS_MAX {
                return Err(ReplayError::TooManyWindows { path: self.path.clone(), most: WINDOWS_MAX });
            }
        }
    }

    fn at(&self, column: &str) -> Option<usize> {
        named(&self.names, column)
    }

    fn needed<const N: usize>(&self, columns: [&str; N]) -> Result<[usize; N], ReplayError> {
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            *place = self.at(column).ok_or_else(|| {
                ReplayError::Trace(TraceError::MissingColumn {
                    path: self.path.clone(),
                    missing: column.to_owned(),
                    found: found(&self.names),
                    expected: columns.join(", "),
                })
            })?;
        }
        Ok(places)
    }
}

/// Windows of each client, in order of time.
type Rates = BTreeMap<String, Vec<Window>>;

fn rates(table: &mut Table) -> Result<BTreeMap<String, Rates>, ReplayError> {
    let [start, rate] = table.needed(["window_start_s", "rate_req_s"])?;
    // Without a variation the rate stands in its place and 1 is taken.
    let cv = table.at("cv").or(table.at("rate_weighted_mean_cv"));
    let texts = [table.at("pool"), table.at("client")];
    let mut pools: BTreeMap<String, Rates> = BTreeMap::new();
    for ([pool, client], [start, rate, variation]) in table.rows(texts, [start, rate, cv.unwrap_or(rate)])? {
        let window = Window { start, rate, cv: if cv.is_some() { variation } else { 1.0 } };
        pools.entry(pool).or_default().entry(client).or_default().push(window);
    }
    for windows in pools.values_mut().flat_map(|clients| clients.values_mut()) {
        windows.sort_by(|a, b| a.start.total_cmp(&b.start));
    }
    Ok(pools)
}

fn chosen(
    path: &Path,
    options: &ReplayOptions,
    mut pools: BTreeMap<String, Rates>,
) -> Result<(String, Rates), ReplayError> {
    let names: Vec<String> = pools.keys().cloned().collect();
    let name = match (&options.pool, names.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, _) => String::new(),
    };
    match pools.remove(&name) {
        Some(rates) => Ok((name, rates)),
        None => Err(ReplayError::Pool { path: path.to_owned(), pools: names.join(", ") }),
    }
}

/// Least distance between two windows of a client.
fn shortest(rates: &Rates) -> Option<f64> {
    let pairs = rates.values().flat_map(|windows| windows.windows(2));
    pairs
        .filter_map(|pair| Some(pair.get(1)?.start - pair.first()?.start))
        .filter(|d| *d > 0.0)
        .reduce(f64::min)
}

/// Lengths of a client's prompts and answers from a moment on.
type Since = (f64, Length, Length);

/// Lengths of the requests of clients.
enum Sizes {
    Fixed(u32, u32),
    Of(BTreeMap<String, Vec<Since>>, PathBuf),
}

impl Sizes {
    /// Those of a client, in order of time; `None` where the table has none.
    fn of(&self, client: &str) -> Option<Vec<Since>> {
        match self {
            Self::Fixed(prompt, output) => Some(vec![(0.0, Length::fixed(*prompt), Length::fixed(*output))]),
            Self::Of(of, _) => of.get(client).cloned(),
        }
    }

    /// The mean of the quantiles of all clients that have some, by the requests that their windows expect.
    fn typical(&self, rates: &Rates, pool: &str) -> Result<Since, ReplayError> {
        let mut sum = (0.0, Length([0.0; 5]), Length([0.0; 5]));
        for (client, windows) in rates {
            let weight: f64 = windows.iter().map(|window| window.rate).sum();
            let all = self.of(client).unwrap_or_default();
            let share = weight / all.len().max(1) as f64;
            for (_, prompt, output) in &all {
                sum.0 += share;
                sum.1.add(prompt, share);
                sum.2.add(output, share);
            }
        }
        if sum.0 > 0.0 {
            let weight = sum.0;
            let mean = |length: Length| Length(length.0.map(|tokens| tokens / weight));
            return Ok((0.0, mean(sum.1), mean(sum.2)));
        }
        match self {
            // No client expects a request: nothing is drawn.
            Self::Fixed(prompt, output) => Ok((0.0, Length::fixed(*prompt), Length::fixed(*output))),
            Self::Of(_, path) => Err(ReplayError::NoLengths { path: path.clone(), pool: pool.to_owned() }),
        }
    }
}

fn lengths(path: &Path, options: &ReplayOptions, pool: &str) -> Result<Sizes, ReplayError> {
    let file = match &options.lengths {
        None => return Err(ReplayError::Lengths { path: path.to_owned() }),
        Some(WindowLengths::Fixed { prompt, output }) => return Ok(Sizes::Fixed(*prompt, *output)),
        Some(WindowLengths::File(file)) => file,
    };
    let (reader, _) = open(file)?;
    let mut lines = Lines::new(reader);
    let header = match lines.next().map_err(|source| failed_read(file, 0, source))? {
        Some(Line::Text(_, text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let delimiter = delimiter_of(&header);
    let names = super::names(&header, delimiter);
    let mut table = Table { path: file.clone(), lines, names, delimiter };
    let numbers = table.needed([
        "window_start_s",
        "in_mean",
        "in_p50",
        "in_p95",
        "in_p99",
        "out_mean",
        "out_p50",
        "out_p95",
        "out_p99",
    ])?;
    let texts = [table.at("pool"), table.at("client")];
    let mut all: BTreeMap<String, Vec<Since>> = BTreeMap::new();
    for ([of, client], v) in table.rows(texts, numbers)? {
        if of == pool || texts[0].is_none() {
            let lengths = (v[0], Length::of(v[1], v[2], v[3], v[4]), Length::of(v[5], v[6], v[7], v[8]));
            all.entry(client).or_default().push(lengths);
        }
    }
    for lengths in all.values_mut() {
        lengths.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Ok(Sizes::Of(all, file.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(length: &Length) -> f64 {
        (1..5).map(|i| (SHARES[i] - SHARES[i - 1]) * (length.0[i] + length.0[i - 1]) / 2.0).sum()
    }

    #[test]
    fn lengths_keep_the_published_percentiles_and_mean() {
        // The first row of the published table, and one whose mean is low for its percentiles.
        for (m, p50, p95, p99) in [(427.53, 275.0, 422.0, 4826.0), (200.0, 200.0, 300.0, 400.0)] {
            let length = Length::of(m, p50, p95, p99);
            assert!((mean(&length) / m - 1.0).abs() < 1e-12, "{length:?}");
            for (share, expected) in [(0.5, p50), (0.95, p95), (0.99, p99)] {
                assert_eq!(f64::from(length.at(share)), expected);
            }
        }
        assert_eq!(Length::fixed(7).at(0.3), 7);
    }
}
