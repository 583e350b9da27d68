//! temporary
fn main() {
    for f in std::env::args().skip(1) {
        let (_, found) = castline_runner::Job::check(std::path::Path::new(&f));
        println!("== {f}");
        for d in &found.list { println!("{} {}:{} {} {}", d.code.as_str(), d.source.name, d.span.map_or(String::new(), |s| format!("{}:{}", s.start.line, s.start.column)), d.message, d.hint.clone().map(|h| format!("({h})")).unwrap_or_default()); }
    }
}
