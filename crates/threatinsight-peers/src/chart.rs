//! A line chart on two logarithmic axes, as SVG.

use std::fmt::Write as _;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// Where and when it was measured.
    pub subtitle: &'a str,
    /// The unit of the horizontal axis.
    pub x: &'a str,
    /// The unit of the vertical axis.
    pub y: &'a str,
    /// Drawn in this order, ours over all others.
    pub lines: &'a [Line],
}

/// A line, named at its end.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    look: Look,
    /// Ascending.
    pub points: Vec<(f64, f64)>,
}

/// How a line looks, and where the legend puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What the chart is about.
    Ours,
    /// The same in another guise.
    OursToo,
    /// A peer made of prefixes.
    Prefix,
    /// A peer made of ranges.
    Range,
    /// A peer made of hash sets.
    Hash,
    /// A level to compare with.
    Level,
}

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 505.0;
/// The least distance between two names.
const NAME: f64 = 15.0;

impl Line {
    /// A line without points.
    #[must_use]
    pub fn new(name: &str, look: Look) -> Self {
        Self {
            name: name.to_owned(),
            look,
            points: Vec::new(),
        }
    }
}

impl Look {
    const ALL: [Self; 6] = [
        Self::Ours,
        Self::OursToo,
        Self::Prefix,
        Self::Range,
        Self::Hash,
        Self::Level,
    ];

    const fn colour(self) -> &'static str {
        match self {
            Self::Ours | Self::OursToo => "#c8102e",
            Self::Prefix => "#2b6cb0",
            Self::Range => "#b7791f",
            Self::Hash => "#2f855a",
            Self::Level => "#718096",
        }
    }

    const fn stroke(self) -> &'static str {
        match self {
            Self::Ours => "stroke-width=\"3.5\"",
            Self::OursToo => "stroke-width=\"2\" stroke-dasharray=\"2 4\"",
            Self::Prefix | Self::Range | Self::Hash => {
                "stroke-width=\"1.4\" stroke-opacity=\"0.75\""
            }
            Self::Level => "stroke-width=\"1.4\" stroke-dasharray=\"7 4\"",
        }
    }

    const fn legend(self) -> &'static str {
        match self {
            Self::Ours => "threatinsight",
            Self::OursToo => "threatinsight, other",
            Self::Prefix => "prefix structures",
            Self::Range => "ranges",
            Self::Hash => "hash sets",
            Self::Level => "full compile",
        }
    }
}

impl Chart<'_> {
    /// The chart as the text of a file, or nothing where there is nothing to show.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let x = Axis::of(self.points().map(|point| point.0), LEFT, RIGHT)?;
        let y = Axis::of(self.points().map(|point| point.1), BOTTOM, TOP)?;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"Helvetica, Arial, DejaVu Sans, sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        text(
            &mut svg,
            (LEFT, 28.0),
            "font-size=\"18\" font-weight=\"bold\"",
            self.title,
        );
        text(
            &mut svg,
            (LEFT, 47.0),
            "fill=\"#555\"",
            self.subtitle.trim(),
        );
        self.legend(&mut svg);
        self.grid(&mut svg, x, y);
        let ours = |line: &&Line| matches!(line.look, Look::Ours | Look::OursToo);
        for line in self.lines.iter().filter(|line| !ours(line)) {
            draw(&mut svg, line, x, y);
        }
        for line in self.lines.iter().filter(ours) {
            draw(&mut svg, line, x, y);
        }
        self.names(&mut svg, x, y);
        svg.push_str("</svg>\n");
        Some(svg)
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.lines
            .iter()
            .flat_map(|line| line.points.iter().copied())
    }

    fn legend(&self, svg: &mut String) {
        let used = |look: &Look| self.lines.iter().any(|line| line.look == *look);
        let mut left = LEFT;
        for look in Look::ALL.into_iter().filter(used) {
            let (colour, stroke, end) = (look.colour(), look.stroke(), left + 28.0);
            let _ = writeln!(
                svg,
                "<path d=\"M{left:.1} 68 H{end:.1}\" stroke=\"{colour}\" {stroke}/>"
            );
            text(svg, (end + 6.0, 72.0), "", look.legend());
            left = end + 30.0 + 6.6 * look.legend().len() as f64;
        }
    }

    fn grid(&self, svg: &mut String, x: Axis, y: Axis) {
        for value in x.ticks() {
            let at = x.place(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {TOP} V{BOTTOM}\" stroke=\"#e5e5e5\"/>"
            );
            text(
                svg,
                (at, BOTTOM + 18.0),
                "text-anchor=\"middle\"",
                &number(value),
            );
        }
        for value in y.ticks() {
            let at = y.place(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {at:.1} H{RIGHT}\" stroke=\"#e5e5e5\"/>"
            );
            text(
                svg,
                (LEFT - 8.0, at + 4.0),
                "text-anchor=\"end\"",
                &number(value),
            );
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        text(
            svg,
            (middle, BOTTOM + 40.0),
            "text-anchor=\"middle\"",
            self.x,
        );
        let middle = f64::midpoint(TOP, BOTTOM);
        let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 18 {middle})\"");
        text(svg, (18.0, middle), &turned, self.y);
    }

    /// The names beside the ends of their lines, moved apart where they would overlap.
    fn names(&self, svg: &mut String, x: Axis, y: Axis) {
        let mut ends: Vec<(f64, f64, &Line)> = self
            .lines
            .iter()
            .filter_map(|line| {
                let (end, height) = line.points.last()?;
                Some((x.place(*end), y.place(*height), line))
            })
            .collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        // Down from the top, then up from the bottom as far as the names ran over it.
        let mut heights: Vec<f64> = Vec::new();
        for (_, height, _) in &ends {
            let least = heights.last().map_or(TOP, |above| above + NAME);
            heights.push(height.max(least));
        }
        let mut most = BOTTOM + 6.0;
        for height in heights.iter_mut().rev() {
            *height = height.min(most);
            most = *height - NAME;
        }
        let widest = self.points().map(|point| point.0).fold(0.0, f64::max);
        for ((end, from, line), height) in ends.iter().zip(heights) {
            let (colour, left) = (line.look.colour(), RIGHT + 26.0);
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {from:.1} L{:.1} {height:.1} H{:.1}\" fill=\"none\" \
                 stroke=\"{colour}\" stroke-opacity=\"0.35\"/>",
                end + 5.0,
                left - 8.0,
                left - 3.0
            );
            let weight = match line.look {
                Look::Ours => "font-weight=\"bold\"",
                Look::OursToo | Look::Prefix | Look::Range | Look::Hash | Look::Level => "",
            };
            let (at, last) = line.points.last().copied().unwrap_or_default();
            // Beside the lines that go on, the value of one that ends early would mislead.
            let name = if at < widest {
                format!("{} ({} at {})", line.name, rounded(last), number(at))
            } else {
                format!("{} ({})", line.name, rounded(last))
            };
            text(
                svg,
                (left, height + 4.0),
                &format!("fill=\"{colour}\" {weight}"),
                &name,
            );
        }
    }
}

/// From values to places.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Option<Self> {
        let positive = values.filter(|value| *value > 0.0);
        let low = positive.clone().min_by(f64::total_cmp)? / 1.15;
        let high = positive.max_by(f64::total_cmp)? * 1.15;
        Some(Self {
            low,
            high,
            from,
            to,
        })
    }

    fn place(self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten; where there are few of them, twice and five times them too.
    fn ticks(self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades > 3.2 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let powers = (-4..9).map(|power| 10_f64.powi(power));
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * power));
        all.filter(|value| (self.low..=self.high).contains(value))
            .collect()
    }
}

fn draw(svg: &mut String, line: &Line, x: Axis, y: Axis) {
    let (colour, stroke) = (line.look.colour(), line.look.stroke());
    let mut path = String::new();
    for (place, value) in &line.points {
        let _ = write!(path, "{:.1},{:.1} ", x.place(*place), y.place(*value));
    }
    let path = path.trim_end();
    let _ = writeln!(
        svg,
        "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" {stroke}/>"
    );
    if line.look != Look::Level {
        let radius = if line.look == Look::Ours { 4.0 } else { 2.5 };
        for (place, value) in &line.points {
            let (left, top) = (x.place(*place), y.place(*value));
            let _ = writeln!(
                svg,
                "<circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"{radius}\" fill=\"{colour}\"/>"
            );
        }
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), look: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {look}>{content}</text>"
    );
}

/// A tick: 20k, 0.05.
fn number(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", value / 1e6),
        1e3.. => format!("{}k", value / 1e3),
        1.0.. => format!("{value:.0}"),
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}

/// Three digits are as many as the machine's noise leaves.
fn rounded(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
