//! What follow.rs needs to read the streams: a Redis client, in the place of a crate (one connection, RESP2, no retries),
//! and the layouts of docs/wire.md.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Epoch and n of an entry: it orders as IDs do.
pub type Place = (u64, u64);
pub type Fields = HashMap<String, Vec<u8>>;

enum Reply {
    Nil,
    Bytes(Vec<u8>),
    List(Vec<Reply>),
}

struct Redis(BufReader<TcpStream>);

impl Redis {
    /// Connect to redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE].
    fn open(url: &str) -> Result<Redis> {
        let rest = url.trim_start_matches("redis://");
        let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (address, database) = place.split_once('/').unwrap_or((place, ""));
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(3)))?;
        let mut redis = Redis(BufReader::new(socket));
        if let Some((user, password)) = login.split_once(':') {
            let words = ["AUTH", user, password];
            redis.call(&words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>())?;
        }
        if !database.is_empty() {
            redis.call(&["SELECT", database])?;
        }
        Ok(redis)
    }

    fn call(&mut self, words: &[&str]) -> Result<Reply> {
        let packed: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        write!(self.0.get_mut(), "*{}\r\n{packed}", words.len())?;
        self.read()
    }

    fn read(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let (kind, text) = line.trim_end().split_at_checked(1).ok_or_else(|| Error::other("connection lost"))?;
        let length: i64 = text.parse().unwrap_or(0);
        match kind {
            "-" => Err(Error::other(text)),
            "+" | ":" => Ok(Reply::Bytes(text.into())),
            _ if length < 0 => Ok(Reply::Nil),
            "*" => Ok(Reply::List((0..length).map(|_| self.read()).collect::<Result<_>>()?)),
            _ => {
                let mut bytes = vec![0; length as usize + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(length as usize);
                Ok(Reply::Bytes(bytes))
            }
        }
    }
}

impl Reply {
    fn list(self) -> Vec<Reply> {
        if let Reply::List(all) = self { all } else { Vec::new() }
    }

    fn text(self) -> String {
        if let Reply::Bytes(bytes) = self { String::from_utf8_lossy(&bytes).into() } else { String::new() }
    }

    /// Names and values, which come in turn.
    fn fields(self) -> Fields {
        let mut all = self.list().into_iter();
        std::iter::from_fn(|| Some((all.next()?.text(), all.next()?.bytes()))).collect()
    }

    fn bytes(self) -> Vec<u8> {
        if let Reply::Bytes(bytes) = self { bytes } else { Vec::new() }
    }

    /// Pairs, each a list of two: names of streams and their entries, or IDs of entries and their fields.
    fn pairs(self) -> impl Iterator<Item = (String, Reply)> {
        self.list().into_iter().filter_map(|pair| {
            let mut parts = pair.list().into_iter();
            Some((parts.next()?.text(), parts.next()?))
        })
    }

    fn entries(self) -> impl Iterator<Item = (String, Fields)> {
        self.pairs().map(|(id, flat)| (id, flat.fields()))
    }
}

/// An entry of a book, or a record that all entries which went into it came before.
pub enum Found {
    Entry(Place, Fields),
    Record(Record),
}

/// A book's stream and its instrument's `out:`, in step: no entry is given before a record names it, so that books can
/// be compared. Whoever only follows needs `out:` not at all. Ends after 2 s of silence.
pub struct Streams {
    redis: Redis,
    venue: String,
    names: [String; 2],
    after: [String; 2],
    held: VecDeque<(Place, Fields)>,
    goal: Place,
    found: VecDeque<Found>,
    silent: bool,
}

impl Streams {
    /// Begin before the newest snapshot of the book, given with its place and the units of its epoch.
    pub fn join(url: &str, venue: &str, instrument: &str) -> Result<(Streams, Place, [String; 2])> {
        let names = [format!("st:{{{instrument}}}:{venue}"), format!("out:{{{instrument}}}")];
        let mut redis = Redis::open(url)?;
        let said = redis.call(&["HGETALL", &format!("status:{{{instrument}}}:{venue}")])?.fields();
        know(&text(&said, "v"));
        let (epoch, n) = place(&text(&said, "snap_id"));
        let newest = redis.call(&["XREVRANGE", &names[1], "+", "-", "COUNT", "1"])?.entries().next();
        let after = [format!("{epoch}-{}", n.saturating_sub(1)), newest.map_or("0-0".into(), |(id, _)| id)];
        let (held, found) = Default::default();
        let streams = Streams { redis, venue: venue.into(), names, after, held, goal: (0, 0), found, silent: false };
        Ok((streams, (epoch, n.saturating_sub(1)), units(&said)))
    }

    fn fill(&mut self) -> Result<()> {
        let [stream, out] = &self.names;
        let words = ["XREAD", "BLOCK", "2000", "STREAMS", stream, out, &self.after[0], &self.after[1]];
        let reply = self.redis.call(&words)?;
        self.silent = matches!(reply, Reply::Nil);
        for (name, entries) in reply.pairs() {
            let which = usize::from(name == self.names[1]);
            for (id, fields) in entries.entries() {
                match fields.get("r").filter(|_| which == 1) {
                    Some(record) => self.step(record),
                    None => self.held.push_back((place(&id), fields)),
                }
                self.after[which] = id;
            }
        }
        Ok(())
    }

    /// Let go what went into a record, then the record.
    fn step(&mut self, record: &[u8]) {
        let Some(mut record) = decode(record, &self.venue) else { return };
        self.goal = if record.at > (0, 0) { record.at } else { self.goal };
        record.at = self.goal;
        while self.held.front().is_some_and(|(at, _)| *at <= self.goal) {
            self.found.extend(self.held.pop_front().map(|(at, entry)| Found::Entry(at, entry)));
        }
        self.found.push_back(Found::Record(record));
    }
}

impl Iterator for Streams {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Result<Found>> {
        while self.found.is_empty() && !self.silent {
            if let Err(error) = self.fill() {
                return Some(Err(error));
            }
        }
        self.found.pop_front().map(Ok)
    }
}

/// A field as text; "" where it is absent.
pub fn text(fields: &Fields, name: &str) -> String {
    fields.get(name).map(|value| String::from_utf8_lossy(value).into()).unwrap_or_default()
}

/// A place from its ID; (0, 0) from anything else.
pub fn place(id: &str) -> Place {
    let both = id.split_once('-').and_then(|(epoch, n)| Some((epoch.parse().ok()?, n.parse().ok()?)));
    both.unwrap_or_default()
}

/// The units of an epoch: the decimals of prices and sizes.
pub fn units(fields: &Fields) -> [String; 2] {
    ["price_decimals", "size_decimals"].map(|name| text(fields, name))
}

fn rows<const N: usize>(data: &[u8]) -> impl Iterator<Item = [i64; N]> + '_ {
    let number = |eight: &[u8]| i64::from_le_bytes(eight.try_into().unwrap());
    data.chunks_exact(8 * N).map(move |row| std::array::from_fn(|k| number(&row[8 * k..8 * k + 8])))
}

pub type Side = BTreeMap<i64, i64>;

fn side(data: &[u8]) -> Side {
    rows(data).map(|[price, size]| (price, size)).collect()
}

/// Bids and asks of a snapshot.
pub fn sides(snapshot: &Fields) -> [Side; 2] {
    ["bids", "asks"].map(|name| side(&snapshot[name]))
}

/// Change bids and asks by a delta.
pub fn change(sides: &mut [Side; 2], delta: &Fields) {
    for (side, name) in sides.iter_mut().zip(["bids", "asks"]) {
        for [price, size] in rows(&delta[name]) {
            if size > 0 { side.insert(price, size) } else { side.remove(&price) };
        }
    }
}

/// Refuse what is written in a layout that is not version 1.
pub fn know(version: &str) {
    assert!(matches!(version, "" | "1"), "layout version {version} is not known here");
}

/// What a record of `out:` says of a venue.
pub struct Record {
    /// Whether it is a key record, which holds the whole view, and the aggregator's book is live.
    pub whole: bool,
    /// The last entry that the aggregator had read.
    pub at: Place,
    sides: [Side; 2],
}

impl Record {
    /// Whether these bids and asks are the same as far as it goes.
    pub fn shows(&self, [bids, asks]: &[Side; 2]) -> bool {
        let (theirs, depth) = (&self.sides, 200);
        bids.iter().rev().take(depth).eq(theirs[0].iter().rev()) && asks.iter().take(depth).eq(&theirs[1])
    }
}

/// The record of these bytes; none if the venue is not in it.
fn decode(record: &[u8], venue: &str) -> Option<Record> {
    know(&record[1].to_string());
    let count = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap()) as usize;
    let runs = 160 + 88 * u16::from_le_bytes([record[6], record[7]]) as usize;
    let changes = runs + 32 * count(8);
    let name = |line: &[u8]| line[..16].iter().copied().take_while(|byte| *byte > 0).eq(venue.bytes());
    let mine = record[160..runs].chunks_exact(88).position(name)?;
    let run = rows::<4>(&record[runs..changes]).filter(|run| run[0] == mine as i64).last();
    let all = &record[changes..changes + 24 * count(12)];
    let side = |code| rows::<3>(all).filter(|row| row[0] == code).map(|row| (row[1], row[2])).collect();
    Some(Record {
        whole: record[2] == 2 && record[160 + 88 * mine + 16] == 2,
        at: run.map_or((0, 0), |run| (run[1] as u64, run[3] as u64)),
        sides: [side(2 * mine as i64), side(2 * mine as i64 + 1)],
    })
}
