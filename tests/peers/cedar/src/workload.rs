//! Reading the workloads and reporting: the same formats and the same method as the Go drivers'
//! package `measure`. Errors end the program with a message: this is a measuring tool.

use serde_json::Value;
use std::time::Instant;

pub struct Pair {
    pub kind: String,
    pub id: String,
}

pub struct Rule {
    pub role: String,
    pub action: String,
    pub kind: String,
}

pub struct Subject {
    pub tenant: String,
    pub roles: Vec<String>,
}

pub struct Resource {
    pub kind: String,
    pub id: String,
    pub tenant: String,
}

pub struct RuleRequest {
    pub sub: Subject,
    pub action: String,
    pub resource: Resource,
}

pub struct Series {
    engine: String,
    times: Vec<u64>,
    decisions: String,
}

pub struct Job {
    pub app: String,
    pub graphs: u32,
    folder: String,
    out: String,
    n: String,
    requests: usize,
    round: String,
}

impl Pair {
    pub fn new(kind: &str, id: &str) -> Pair {
        Pair {
            kind: kind.to_string(),
            id: id.to_string(),
        }
    }

    fn from_uid(uid: &str) -> Pair {
        let (kind, id) = uid.split_once("::").expect("TYPE::ID");
        Pair::new(kind, id)
    }
}

impl Series {
    pub fn new(engine: String) -> Series {
        Series {
            engine,
            times: Vec::new(),
            decisions: String::new(),
        }
    }

    pub fn add(&mut self, nanoseconds: u64, allow: bool) {
        self.times.push(nanoseconds);
        self.decisions.push_str(if allow { "1\n" } else { "0\n" });
    }
}

fn quantile(sorted: &[u64], p: f64) -> u64 {
    sorted[(p * (sorted.len() - 1) as f64 + 0.5) as usize]
}

/// What a timer around nothing shows.
fn clock() -> u64 {
    let mut times: Vec<u64> = (0..10001)
        .map(|_| {
            let start = Instant::now();
            start.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    quantile(&times, 0.5)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_string()
}

impl Job {
    pub fn from_arguments() -> Job {
        let mut a: Vec<String> = std::env::args().skip(1).collect();
        if a.len() != 7 {
            eprintln!(
                "cedar: usage: DATA OUT APP N GRAPHS REQUESTS ROUND; tests/peers/run calls this"
            );
            std::process::exit(2);
        }
        Job {
            folder: format!("{}/{}/{}", a[0], a[2], a[3]),
            graphs: a[4].parse().expect("GRAPHS is a count"),
            requests: a[5].parse().expect("REQUESTS is a count"),
            out: std::mem::take(&mut a[1]),
            app: std::mem::take(&mut a[2]),
            n: std::mem::take(&mut a[3]),
            round: std::mem::take(&mut a[6]),
        }
    }

    fn read(&self, name: &str) -> String {
        let path = format!("{}/{}", self.folder, name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn json_lines(&self, name: &str) -> Vec<Value> {
        let lines = self.read(name);
        lines
            .lines()
            .map(|l| serde_json::from_str(l).expect("JSON"))
            .collect()
    }

    pub fn entities(&self, k: u32) -> String {
        self.read(&format!("{k}.entities.json"))
    }

    pub fn requests(&self, k: u32) -> Vec<(Pair, String, Pair)> {
        let lines = self.read(&format!("{k}.requests"));
        let parse = |line: &str| {
            let mut field = line.split('\t');
            let mut next = || field.next().expect("three fields");
            (
                Pair::from_uid(next()),
                next().to_string(),
                Pair::from_uid(next()),
            )
        };
        lines.lines().take(self.requests).map(parse).collect()
    }

    pub fn rules(&self) -> Vec<Rule> {
        let parse = |v: &Value| Rule {
            role: text(&v["role"]),
            action: text(&v["action"]),
            kind: text(&v["type"]),
        };
        self.json_lines("rules.jsonl").iter().map(parse).collect()
    }

    pub fn rule_requests(&self) -> Vec<RuleRequest> {
        let parse = |v: &Value| RuleRequest {
            sub: Subject {
                tenant: text(&v["sub"]["tenant"]),
                roles: v["sub"]["roles"]
                    .as_array()
                    .expect("roles")
                    .iter()
                    .map(text)
                    .collect(),
            },
            action: text(&v["action"]),
            resource: Resource {
                kind: text(&v["resource"]["type"]),
                id: text(&v["resource"]["id"]),
                tenant: text(&v["resource"]["tenant"]),
            },
        };
        self.json_lines("requests.jsonl")
            .iter()
            .map(parse)
            .collect()
    }

    /// Writes the decisions to OUT/ENGINE/APP.N and prints one JSON line.
    pub fn report(&self, mut series: Series) {
        let folder = format!("{}/{}", self.out, series.engine);
        std::fs::create_dir_all(&folder).expect("a folder for the decisions");
        let path = format!("{}/{}.{}", folder, self.app, self.n);
        std::fs::write(&path, &series.decisions).expect("a file of decisions");
        series.times.sort_unstable();
        println!(
            "{{\"app\":\"{}\",\"n\":{},\"engine\":\"{}\",\"round\":{},\"p50_ns\":{},\"p99_ns\":{},\
             \"count\":{},\"clock_ns\":{}}}",
            self.app,
            self.n,
            series.engine,
            self.round,
            quantile(&series.times, 0.5),
            quantile(&series.times, 0.99),
            series.times.len(),
            clock()
        );
    }
}
