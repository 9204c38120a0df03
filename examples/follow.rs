//! Follows a book by docs/wire.md and compares it with the aggregator's at each of its key records.
//!   rustc -O follow.rs && ./follow redis://127.0.0.1:6379/0 binance:BTC-USDT 60
mod wire;
use std::{env, io, mem::replace, process::exit, thread::sleep, time::Duration, time::Instant};
use wire::{change, know, place, sides, text, units, Fields, Found, Place, Side, Streams};

#[derive(Default)] // `at`: the place of the entry read last; `left`: from where a new epoch may go on
struct Book { at: Place, left: Option<Place>, live: bool, units: [String; 2], sides: [Side; 2],
              compared: u32, equal: u32, resyncs: u32, epochs: u32, lost: u64 }

impl Book {
    fn take(&mut self, to: Place, entry: Fields) {
        let (before, says_live) = (replace(&mut self.at, to), text(&entry, "state") == "live");
        let missing = to.1 - 1 - if to.0 == before.0 { before.1 } else { 0 };
        if before.0 > 0 && missing > 0 { // trimmed before it was read
            (self.live, self.lost) = (false, self.lost + missing);
        }
        match text(&entry, "kind").as_str() {
            "open" => { // a new writer: the book is lost, unless the next entry `follows` the one before
                know(&text(&entry, "v"));
                let same = replace(&mut self.units, units(&entry)) == self.units;
                self.left = (self.live && same).then_some(before);
                (self.live, self.epochs) = (false, self.epochs + 1);
            }
            "status" => self.live = says_live && (self.live || self.left == Some(place(&text(&entry, "follows")))),
            "snapshot" => {
                self.resyncs += (says_live && !self.live && !self.sides[0].is_empty()) as u32;
                (self.live, self.sides) = (says_live, sides(&entry));
            }
            "delta" if self.live => change(&mut self.sides, &entry),
            _ => {}
        }
    }
    fn session(&mut self, url: &str, venue: &str, instrument: &str, until: Instant) -> io::Result<()> {
        let streams; // joined at the newest snapshot; they end after 2 s of silence, when the server may have lost data
        (streams, self.at, self.units) = Streams::join(url, venue, instrument)?;
        self.live = false;
        for found in streams.take_while(|_| Instant::now() < until) {
            match found? {
                Found::Entry(at, entry) => self.take(at, entry),
                Found::Record(record) if record.whole && self.live && self.at == record.at => {
                    (self.compared, self.equal) = (self.compared + 1, self.equal + record.shows(&self.sides) as u32);
                }
                Found::Record(_) => {} // only a key record holds the whole view
            }
        }
        Ok(())
    }
}
fn main() {
    let [url, name, seconds]: [String; 3] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("URL BOOK SECONDS");
    let ((venue, instrument), mut book) = (name.split_once(':').expect("VENUE:INSTRUMENT"), Book::default());
    let until = Instant::now() + Duration::from_secs(seconds.parse().expect("a number of seconds"));
    while Instant::now() < until {
        if book.session(&url, venue, instrument, until).is_err() { sleep(Duration::from_millis(500)) }
    }
    let Book { compared, equal, resyncs, epochs, lost, .. } = book;
    println!("{name}: {equal} of {compared} books equal, {resyncs} resyncs, {epochs} new epochs, {lost} entries lost");
    exit(if compared > 0 && equal == compared { 0 } else { 1 })
}
