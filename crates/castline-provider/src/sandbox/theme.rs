//! What a prompt asks to see, as far as a few hundred words tell.
//!
//! A [`Theme`] is only a help: words that are not known leave the choice to the dice.

use crate::std_tools::color::Color;

/// What a prompt asks to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Where it is.
    pub(crate) place: Option<Place>,
    /// When it is.
    pub(crate) hour: Option<Hour>,
    /// What falls or hangs in the air.
    pub(crate) weather: Option<Weather>,
    /// What stands in it, in the order of the words.
    pub(crate) things: Vec<Thing>,
    /// True when signs glow.
    pub(crate) neon: bool,
    /// A color that is named for the whole or its sky.
    pub(crate) tint: Option<Color>,
    /// A color that is named for a thing.
    pub(crate) accent: Option<Color>,
}

/// A kind of scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Sea,
    Mountains,
    Forest,
    City,
    Desert,
    Meadow,
    Space,
    Table,
    Portrait,
    Pattern,
}

/// A light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hour {
    Sunrise,
    Day,
    Sunset,
    Night,
    Gray,
    Winter,
    Autumn,
    Spring,
}

/// What falls or hangs in the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Weather {
    Rain,
    Snow,
    Fog,
    Clouds,
    Aurora,
}

/// A thing to put into a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Thing {
    PaperBoat,
    Sailboat,
    Lighthouse,
    House,
    Balloon,
    Birds,
    Tree,
    Rocket,
    Cat,
    Fox,
    Whale,
    Windmill,
    Umbrella,
    Pyramid,
    Cactus,
    Flowers,
    Vase,
    Cup,
    Bottle,
    Teapot,
    Fruit,
    Lamp,
}

const PLACES: &[(Place, &[&str])] = &[
    (
        Place::Sea,
        &[
            "sea", "ocean", "water", "lake", "river", "wave", "harbor", "harbour", "beach", "island",
            "coast", "bay", "lagoon", "pond", "fjord", "tide", "surf", "seascape", "floating", "sailing",
            "pier", "reef", "fish",
        ],
    ),
    (
        Place::Mountains,
        &[
            "mountain",
            "mountains",
            "peak",
            "alps",
            "alpine",
            "summit",
            "cliff",
            "canyon",
            "volcano",
            "fuji",
            "himalaya",
            "ridge",
            "valley",
            "glacier",
            "rocky",
        ],
    ),
    (
        Place::Forest,
        &[
            "forest", "wood", "woods", "pine", "jungle", "birch", "spruce", "fir", "deer", "wolf", "bear",
            "owl", "fern",
        ],
    ),
    (
        Place::City,
        &[
            "city",
            "street",
            "skyline",
            "building",
            "skyscraper",
            "downtown",
            "tokyo",
            "york",
            "london",
            "paris",
            "town",
            "village",
            "roof",
            "rooftop",
            "neon",
            "cyberpunk",
            "urban",
            "alley",
            "car",
            "tram",
            "train",
            "robot",
            "bridge",
            "metropolis",
            "traffic",
            "cafe",
            "shop",
            "market",
        ],
    ),
    (
        Place::Desert,
        &["desert", "dune", "dunes", "sand", "sahara", "camel", "oasis", "mesa", "mars", "martian"],
    ),
    (
        Place::Meadow,
        &[
            "meadow",
            "field",
            "hill",
            "hills",
            "garden",
            "farm",
            "grass",
            "pasture",
            "countryside",
            "vineyard",
            "lavender",
            "prairie",
            "landscape",
            "cow",
            "sheep",
            "horse",
            "barn",
            "park",
            "dog",
            "rabbit",
        ],
    ),
    (
        Place::Space,
        &[
            "space",
            "planet",
            "galaxy",
            "nebula",
            "cosmos",
            "cosmic",
            "astronaut",
            "orbit",
            "universe",
            "saturn",
            "jupiter",
            "asteroid",
            "comet",
            "alien",
            "spaceship",
        ],
    ),
    (
        Place::Table,
        &[
            "product", "still", "vase", "table", "bowl", "jar", "perfume", "packshot", "kitchen", "food",
            "dish", "bread", "cake", "watch", "shoe", "sneaker", "candle", "pottery", "ceramic", "studio",
            "chair",
        ],
    ),
    (
        Place::Portrait,
        &[
            "portrait",
            "woman",
            "man",
            "person",
            "girl",
            "boy",
            "face",
            "king",
            "queen",
            "child",
            "lady",
            "people",
            "character",
            "headshot",
            "dancer",
            "musician",
            "captain",
            "sailor",
            "knight",
            "wizard",
        ],
    ),
    (
        Place::Pattern,
        &[
            "pattern",
            "abstract",
            "geometric",
            "logo",
            "texture",
            "wallpaper",
            "mosaic",
            "tile",
            "icon",
            "poster",
            "typography",
            "shapes",
            "fractal",
            "gradient",
            "ornament",
        ],
    ),
];

const HOURS: &[(Hour, &[&str])] = &[
    (Hour::Sunrise, &["sunrise", "dawn", "morning", "daybreak"]),
    (Hour::Sunset, &["sunset", "dusk", "golden", "evening", "twilight", "amber", "lantern"]),
    (
        Hour::Night,
        &["night", "midnight", "moon", "moonlight", "moonlit", "stars", "starry", "dark", "aurora", "neon"],
    ),
    (
        Hour::Gray,
        &["storm", "stormy", "rain", "rainy", "fog", "foggy", "mist", "misty", "gray", "grey", "overcast"],
    ),
    (Hour::Winter, &["winter", "snow", "snowy", "ice", "icy", "frozen", "arctic", "christmas", "glacier"]),
    (Hour::Autumn, &["autumn", "fall", "october", "harvest", "rust", "maple"]),
    (Hour::Spring, &["spring", "blossom", "cherry", "april", "sakura", "pastel"]),
    (Hour::Day, &["day", "noon", "sunny", "summer", "daylight", "bright", "clear", "midday"]),
];

const WEATHERS: &[(Weather, &[&str])] = &[
    (Weather::Rain, &["rain", "rainy", "storm", "stormy", "drizzle"]),
    (Weather::Snow, &["snow", "snowy", "snowfall", "blizzard", "christmas"]),
    (Weather::Fog, &["fog", "foggy", "mist", "misty", "haze", "hazy"]),
    (Weather::Clouds, &["cloud", "clouds", "cloudy", "overcast"]),
    (Weather::Aurora, &["aurora", "borealis"]),
];

const THINGS: &[(Thing, &[&str])] = &[
    (Thing::PaperBoat, &["boat", "boats", "ship", "canoe", "origami"]),
    (Thing::Sailboat, &["sailboat", "sail", "sails", "yacht", "schooner", "sailing"]),
    (Thing::Lighthouse, &["lighthouse", "beacon"]),
    (Thing::House, &["house", "cottage", "cabin", "hut", "barn", "farm", "home", "village"]),
    (Thing::Balloon, &["balloon", "balloons", "zeppelin", "airship"]),
    (Thing::Birds, &["bird", "birds", "gull", "gulls", "crow", "swallow", "geese", "eagle", "crane"]),
    (Thing::Tree, &["tree", "trees", "oak", "maple", "cherry", "blossom", "sakura", "bonsai"]),
    (Thing::Rocket, &["rocket", "spaceship", "shuttle", "astronaut"]),
    (Thing::Cat, &["cat", "cats", "kitten", "kitty", "tabby"]),
    (Thing::Fox, &["fox", "foxes", "dog", "puppy", "wolf", "corgi", "shiba"]),
    (Thing::Whale, &["whale", "whales", "dolphin", "orca", "fish"]),
    (Thing::Windmill, &["windmill", "mill", "turbine"]),
    (Thing::Umbrella, &["umbrella", "parasol"]),
    (Thing::Pyramid, &["pyramid", "pyramids", "egypt"]),
    (Thing::Cactus, &["cactus", "cacti", "saguaro", "camel"]),
    (
        Thing::Flowers,
        &["flower", "flowers", "tulip", "rose", "poppy", "poppies", "lavender", "bouquet", "garden"],
    ),
    (Thing::Vase, &["vase", "pottery", "ceramic", "jar", "bowl"]),
    (Thing::Cup, &["cup", "mug", "coffee", "tea", "espresso"]),
    (Thing::Bottle, &["bottle", "perfume", "wine", "beer", "flask", "shampoo"]),
    (Thing::Teapot, &["teapot", "kettle"]),
    (Thing::Fruit, &["fruit", "apple", "apples", "orange", "oranges", "lemon", "pear", "peach", "fruits"]),
    (Thing::Lamp, &["lamp", "candle", "lantern", "lightbulb"]),
];

/// Hues of words, as light falls through them.
const HUES: &[(Color, &[&str])] = &[
    (Color::hex(0x8e_5b_d0), &["violet", "purple", "lilac", "lavender", "indigo", "mauve"]),
    (Color::hex(0xe2_4a_3b), &["red", "crimson", "scarlet", "vermilion", "ruby"]),
    (Color::hex(0xf2_8c_28), &["orange", "amber", "copper", "terracotta"]),
    (Color::hex(0xf4_c4_30), &["yellow", "gold", "lemon", "saffron"]),
    (Color::hex(0x3f_9c_5a), &["green", "emerald", "mint", "jade", "olive"]),
    (Color::hex(0x1f_9a_a0), &["teal", "turquoise", "cyan", "aqua"]),
    (Color::hex(0x2f_74_c8), &["blue", "azure", "navy", "cobalt", "sapphire"]),
    (Color::hex(0xec_6f_a3), &["pink", "magenta", "rose", "fuchsia", "coral"]),
    (Color::hex(0x8a_5a_3c), &["brown", "sepia", "chocolate"]),
];

impl Theme {
    /// Reads a prompt.
    pub(crate) fn of(prompt: &str) -> Self {
        let words = words(prompt);
        let things: Vec<_> =
            words.iter().filter_map(|word| known(THINGS, word)).fold(Vec::new(), |mut all, thing| {
                if !all.contains(&thing) {
                    all.push(thing);
                }
                all
            });
        let (tint, accent) = colors(&words);
        Self {
            place: place(&words, &things),
            hour: hour(&words),
            weather: weather(&words),
            neon: words.iter().any(|word| matches!(word.as_str(), "neon" | "cyberpunk" | "tokyo" | "arcade")),
            things,
            tint,
            accent,
        }
    }
}

/// The words of a text in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The hue of a color word.
pub(crate) fn hue(word: &str) -> Option<Color> {
    known(HUES, word)
}

fn known<T: Copy>(table: &[(T, &[&str])], word: &str) -> Option<T> {
    let singular = word.strip_suffix('s').filter(|stem| stem.len() > 2);
    table
        .iter()
        .find(|(_, words)| words.contains(&word) || singular.is_some_and(|s| words.contains(&s)))
        .map(|e| e.0)
}

/// By a word for places, else by the first thing. Who stands under an umbrella stands
/// outside, whoever it is.
fn place(words: &[String], things: &[Thing]) -> Option<Place> {
    let named = words.iter().find_map(|word| known(PLACES, word));
    match named {
        Some(Place::Portrait) if things.contains(&Thing::Umbrella) => Some(Place::City),
        Some(place) => Some(place),
        None => things.first().copied().map(usual_place),
    }
}

/// The time of day before the weather, the weather before the season.
fn hour(words: &[String]) -> Option<Hour> {
    let said: Vec<Hour> = words.iter().filter_map(|word| known(HOURS, word)).collect();
    let of_day = |hour: &&Hour| matches!(hour, Hour::Sunrise | Hour::Sunset | Hour::Night);
    said.iter()
        .find(of_day)
        .or_else(|| said.iter().find(|hour| **hour == Hour::Gray))
        .or(said.first())
        .copied()
}

/// What is rare in the air comes first.
fn weather(words: &[String]) -> Option<Weather> {
    let said: Vec<Weather> = words.iter().filter_map(|word| known(WEATHERS, word)).collect();
    said.iter().find(|weather| **weather == Weather::Aurora).or(said.first()).copied()
}

/// A color one or two words before a thing is the thing's; any other is the light's.
fn colors(words: &[String]) -> (Option<Color>, Option<Color>) {
    let (mut tint, mut accent) = (None, None);
    for (index, word) in words.iter().enumerate() {
        let Some(color) = hue(word) else { continue };
        let of_thing = words.iter().skip(index + 1).take(2).any(|next| known(THINGS, next).is_some());
        let slot = if of_thing { &mut accent } else { &mut tint };
        slot.get_or_insert(color);
    }
    (tint, accent)
}

fn usual_place(thing: Thing) -> Place {
    match thing {
        Thing::PaperBoat | Thing::Sailboat | Thing::Lighthouse | Thing::Whale => Place::Sea,
        Thing::House
        | Thing::Balloon
        | Thing::Birds
        | Thing::Tree
        | Thing::Windmill
        | Thing::Flowers
        | Thing::Cat => Place::Meadow,
        Thing::Fox => Place::Forest,
        Thing::Rocket => Place::Space,
        Thing::Umbrella => Place::City,
        Thing::Pyramid | Thing::Cactus => Place::Desert,
        Thing::Vase | Thing::Cup | Thing::Bottle | Thing::Teapot | Thing::Fruit | Thing::Lamp => Place::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_says_where_and_when_and_what() {
        let theme = Theme::of("A red paper boat floating on calm water at sunrise under a violet sky");
        assert_eq!(
            (theme.place, theme.hour, theme.things.as_slice()),
            (Some(Place::Sea), Some(Hour::Sunrise), &[Thing::PaperBoat][..])
        );
        assert_eq!((theme.accent, theme.tint), (hue("red"), hue("violet")));
    }

    #[test]
    fn a_color_before_a_thing_is_the_things() {
        let theme = Theme::of("one yellow umbrella in the rain");
        assert_eq!((theme.accent, theme.tint), (hue("yellow"), None));
        assert_eq!(theme.weather, Some(Weather::Rain));
    }

    #[test]
    fn unknown_words_say_nothing() {
        let theme = Theme::of("Kvitebjørn 42");
        assert_eq!((theme.place, theme.hour, theme.things.len()), (None, None, 0));
    }
}
