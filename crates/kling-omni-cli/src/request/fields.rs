//! The options that set the fields of a request: one for each row of the tables that declare the request types.

use std::path::Path;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use kling_omni::Mode;
use kling_omni::request::{
    Element, FieldKind, FieldValue, RequestBuilder, RequestField, RequestType,
};
use kling_omni_api::Field;
use serde_json::{Map, Value};

use super::help;
use crate::cli;
use crate::failure::Failure;
use crate::input::{self, LARGEST_TEXT};
use crate::media::{self, FILE_OR_URL};

/// The row of an option that has another name or text, its names, and its help without the limits of the document.
struct Wording {
    row: &'static str,
    long: &'static str,
    short: &'static [char],
    help: &'static str,
    /// The modes in which the field is something else, and what.
    by_mode: &'static [(Mode, &'static str)],
}

macro_rules! wordings {
    ($($row:ident: $long:literal $($short:literal)?, $help:literal $(, $mode:ident: $other:literal)*;)*) => {
        const WORDINGS: &[Wording] = &[$(Wording {
            row: stringify!($row),
            long: $long,
            short: &[$($short)?],
            help: $help,
            by_mode: &[$((Mode::$mode, $other)),*],
        }),*];
    };
}

wordings! {
    prompt: "prompt" 'p', "What the video shows, or - for standard input; calls a reference video @Video1, other inputs as they say themselves";
    video_url: "video", "The reference video that guides motion and style: a file, which is uploaded, or a public URL",
        MotionControl: "the one whose motion the character takes over";
    image_url: "image", "The image that the video starts with: a file, which is uploaded, or a public URL",
        MotionControl: "the one that shows the character";
    duration: "duration" 'd', "Length of the video to make, in seconds";
    aspect_ratio: "aspect-ratio" 'a', "Shape of the video to make; auto follows the input";
    cfg_scale: "cfg-scale", "How closely to follow the prompt, from free to strict";
    webhook_url: "webhook-url", "URL that gets a signed POST whenever the task changes its status";
    multi_prompt: "shot", "What a shot shows, in place of --prompt; once for each shot, and --duration is that of all together";
    start_image_url: "start-image", "The first frame, under the name that the API gives together with an end frame";
    end_image_url: "end-image", "The image that the video ends with; goes with --image";
    image_urls: "reference-image", "An image that guides style and looks, @Image1 and so on in the prompt; once for each";
    elements: "element", "A character or an object, @Element1 and so on in the prompt: its main image, and others after blanks; once for each, and counted together with --reference-image";
    generate_audio: "audio", "Ask for a sound track, or for none with --audio=false";
}

impl Wording {
    /// The help, and what the field is in other modes.
    fn help(&self) -> String {
        let others = self.by_mode.iter().map(|(mode, other)| {
            let source = RequestType::of(*mode).source;
            format!("; from {source}, {other}")
        });
        let others: String = others.collect();
        format!("{}{others}", self.help)
    }
}

/// An option for the rows of one name.
struct FieldOption {
    row: RequestField,
    long: String,
    short: Option<char>,
    help: String,
    /// The types of requests that have the field, and its limits on each of their routes.
    types: Vec<(&'static RequestType, Vec<&'static Field>)>,
}

/// The options, in the order of the tables.
fn options() -> Vec<FieldOption> {
    let mut options: Vec<FieldOption> = Vec::new();
    let types = RequestType::ALL.iter();
    for (request, row) in types.flat_map(|one| one.table.iter().map(move |row| (one, row))) {
        // One value is no choice.
        if matches!(row.kind, FieldKind::Choice(names) if names().len() < 2) {
            continue;
        }
        let limits = request.limits.iter().copied().flatten();
        let limits = limits.filter(|limits| limits.name == row.name);
        let of_type = (request, limits.collect());
        let known = options.iter_mut();
        match known.into_iter().find(|known| known.row.name == row.name) {
            Some(known) => known.types.push(of_type),
            None => {
                let wording = WORDINGS.iter().find(|wording| wording.row == row.name);
                options.push(FieldOption {
                    row: *row,
                    long: wording
                        .map_or_else(|| row.name.replace('_', "-"), |one| one.long.to_owned()),
                    short: wording.and_then(|one| one.short.first().copied()),
                    help: wording.map_or_else(|| row.text(), Wording::help),
                    types: vec![of_type],
                });
            }
        }
    }
    options
}

impl FieldOption {
    /// Whether it takes a text that people write, and not a URL.
    fn is_prose(&self) -> bool {
        let mut limits = self.types.iter().flat_map(|(_, limits)| limits);
        matches!(self.row.kind, FieldKind::Text) && limits.all(|limits| limits.format.is_none())
    }

    fn arg(&self) -> Arg {
        let arg = Arg::new(self.row.name)
            .long(&self.long)
            .short(self.short)
            .action(match self.row.is_list {
                true => ArgAction::Append,
                false => ArgAction::Set,
            })
            .help(help::with_limits(
                self.help.trim_end_matches('.'),
                self.row.kind,
                &self.types,
            ));
        let arg = match self.row.kind {
            FieldKind::Media => arg.value_name(FILE_OR_URL).value_parser(media::parser()),
            FieldKind::Element => arg.value_name("FILES|URLS").value_parser(element),
            FieldKind::Seconds => arg
                .value_name("SECONDS")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(u32)),
            FieldKind::Number => arg
                .value_name("NUMBER")
                .allow_negative_numbers(true)
                .value_parser(finite),
            FieldKind::Integer => arg
                .value_name("NUMBER")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(i64)),
            FieldKind::Flag => arg
                .value_name("BOOL")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(value_parser!(bool)),
            FieldKind::Choice(names) => arg
                .value_name(
                    self.long
                        .rsplit('-')
                        .next()
                        .unwrap_or_default()
                        .to_uppercase(),
                )
                .value_parser(PossibleValuesParser::new(names())),
            FieldKind::Text if self.is_prose() => arg.value_name("TEXT").allow_hyphen_values(true),
            FieldKind::Text => arg.value_name("URL"),
        };
        match self.types[..] {
            [(request, _)] => arg.help_heading(help::heading(request)),
            _ => arg,
        }
    }

    /// What was given.
    fn value(&self, matches: &mut ArgMatches) -> Option<FieldValue> {
        let name = self.row.name;
        if matches.value_source(name) != Some(ValueSource::CommandLine) {
            return None;
        }
        Some(match self.row.kind {
            FieldKind::Media => FieldValue::Media(matches.remove_many(name)?.collect()),
            FieldKind::Element => FieldValue::Elements(matches.remove_many(name)?.collect()),
            FieldKind::Seconds => {
                // The API has a text here.
                self.json(matches, |seconds: u32| seconds.to_string().into())?
            }
            FieldKind::Number => self.json(matches, |number: f64| number.into())?,
            FieldKind::Integer => self.json(matches, |number: i64| number.into())?,
            FieldKind::Flag => self.json(matches, |flag: bool| flag.into())?,
            FieldKind::Text | FieldKind::Choice(_) => {
                self.json(matches, |text: String| text.into())?
            }
        })
    }

    fn json<T: Clone + Send + Sync + 'static>(
        &self,
        matches: &mut ArgMatches,
        to_json: fn(T) -> Value,
    ) -> Option<FieldValue> {
        let mut values = matches.remove_many(self.row.name)?.map(to_json);
        Some(FieldValue::Json(match self.row.is_list {
            true => values.collect(),
            false => values.next()?,
        }))
    }
}

/// The fields of a request that were given as options, for every mode.
#[derive(Debug)]
pub(super) struct RequestFields(Vec<GivenField>);

#[derive(Debug)]
struct GivenField {
    name: &'static str,
    option: String,
    is_prose: bool,
    value: FieldValue,
}

impl Args for RequestFields {
    fn augment_args(command: Command) -> Command {
        command.args(options().iter().map(FieldOption::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RequestFields {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let given = |option: FieldOption| {
            Some(GivenField {
                name: option.row.name,
                option: format!("--{}", option.long),
                is_prose: option.is_prose(),
                value: option.value(matches)?,
            })
        };
        Ok(Self(options().into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl RequestFields {
    /// Reads the text that `-` stands for, and refuses what can only be a slip: a text that is an option of this program,
    /// since another one was forgotten or empty, or the name of a file after `@`.
    pub(super) fn read_texts(&mut self, other_uses_of_stdin: usize) -> Result<(), Failure> {
        let mut uses = other_uses_of_stdin;
        let mut piped = None;
        for field in self.0.iter_mut().filter(|field| field.is_prose) {
            let values = match &mut field.value {
                FieldValue::Json(Value::Array(items)) => &mut items[..],
                FieldValue::Json(value) => std::slice::from_mut(value),
                FieldValue::Media(_) | FieldValue::Elements(_) => &mut [],
            };
            for value in values {
                match value.as_str() {
                    Some("-") => {
                        uses += 1;
                        input::refuse_sharing(uses)?;
                        piped = Some(value);
                    }
                    Some(text) => refuse_slip(&field.option, text)?,
                    None => {}
                }
            }
        }
        if let Some(value) = piped {
            *value = from_stdin()?.into();
        }
        Ok(())
    }

    /// The names of the fields that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|field| field.name)
    }

    /// Sets the fields of a request, in place of what it has.
    ///
    /// # Errors
    ///
    /// The request has no field for an option.
    pub(super) fn set_on(self, builder: RequestBuilder) -> Result<RequestBuilder, Failure> {
        self.0.into_iter().try_fold(builder, |builder, field| {
            let set = builder.set(field.name, field.value);
            set.map_err(|problem| {
                Failure::usage(format!("{}: {} {problem}", field.option, field.name))
            })
        })
    }

    /// What is set, as in a file.
    ///
    /// # Errors
    ///
    /// A file on this machine has no URL that JSON could have.
    pub(super) fn body(self) -> Result<Map<String, Value>, Failure> {
        let fields = self.0.into_iter().map(|field| {
            let is_list = options()
                .iter()
                .any(|option| option.row.name == field.name && option.row.is_list);
            let value = match field.value {
                FieldValue::Json(value) => Ok(value),
                FieldValue::Media(mut media) if !is_list => serde_json::to_value(media.pop()),
                FieldValue::Media(media) => serde_json::to_value(media),
                FieldValue::Elements(elements) => serde_json::to_value(elements),
            };
            let value = value.map_err(|_| {
                Failure::usage(format!(
                    "{}: --unchecked sends the request as it is, and so takes no file",
                    field.option
                ))
                .with_help("leave --unchecked out, or give a URL")
            })?;
            Ok((field.name.to_owned(), value))
        });
        fields.collect()
    }

    /// The option that a field of the API has here.
    pub(super) fn option(field: &str) -> String {
        let options = options();
        let option = options.iter().find(|option| option.row.name == field);
        format!("--{}", option.map_or(field, |option| &option.long))
    }
}

/// Standard input without the line end that a shell adds.
fn from_stdin() -> Result<String, Failure> {
    let mut text = input::read(Path::new("-"), LARGEST_TEXT)?.text()?;
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.trim_end_matches('\r').len());
    }
    // A program in front of the pipe that failed must not lead to a paid task without a text.
    if text.trim().is_empty() {
        return Err(Failure::usage("standard input holds no text"));
    }
    Ok(text)
}

fn refuse_slip(option: &str, text: &str) -> Result<(), Failure> {
    let advice = "give the text by standard input: write - in its place";
    if let Some(other) = cli::option_of("generate", text) {
        return Err(Failure::usage(format!(
            "{option} has no text of its own: the option {other} follows it"
        ))
        .with_help(advice));
    }
    let file = text.strip_prefix('@').map(Path::new);
    match file.filter(|path| path.is_file()) {
        Some(path) => Err(Failure::usage(format!(
            "{option} takes a text, and no file after @: {} is a file",
            input::name(path)
        ))
        .with_help("write - in its place, and redirect standard input from the file")),
        None => Ok(()),
    }
}

/// The main image of an element, and further ones after blanks, which no URL has and a file here must not.
fn element(images: &str) -> Result<Element, String> {
    let mut images = images
        .split_whitespace()
        .map(|image| media::accepted(image.into()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let frontal = images.next().ok_or("an element needs an image")?;
    Ok(images.fold(
        Element::new().frontal_image(frontal),
        Element::reference_image,
    ))
}

/// JSON has no other numbers.
fn finite(text: &str) -> Result<f64, String> {
    match f64::from_str(text) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{number} is no number that can be sent")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use kling_omni::TextToVideo;
    use kling_omni::request::MediaField;
    use serde::de::DeserializeSeed as _;

    use super::*;

    #[test]
    fn every_wording_is_of_a_row() {
        for Wording {
            row, long, by_mode, ..
        } in WORDINGS
        {
            assert!(
                options().iter().any(|option| option.row.name == *row),
                "--{long}: no request type has a row {row}; rename it in WORDINGS"
            );
            for (mode, _) in *by_mode {
                let table = RequestType::of(*mode).table;
                assert!(
                    table.iter().any(|field| field.name == *row),
                    "--{long}: requests of the mode {mode} have no row {row}; take the mode out of WORDINGS"
                );
            }
        }
    }

    /// Rows of one name that are different images or videos are told apart in the help.
    #[test]
    fn the_help_of_a_file_says_what_it_is_in_each_mode() {
        let is_shared = |option: &FieldOption| {
            matches!(option.row.kind, FieldKind::Media) && option.types.len() > 1
        };
        for option in options().into_iter().filter(is_shared) {
            let name = option.row.name;
            let fields = option.types.iter();
            let fields: Vec<_> = fields
                .map(|(request, _)| (request.mode, media_field(request, name)))
                .collect();
            for (mode, field) in &fields {
                let mut wordings = WORDINGS.iter().filter(|wording| wording.row == name);
                let is_told = wordings.any(|one| one.by_mode.iter().any(|(of, _)| of == mode));
                assert!(
                    *field == fields[0].1 || is_told,
                    "--{}: {mode}",
                    option.long
                );
            }
        }
    }

    /// What the image or video of this name is in a request of a type.
    fn media_field(request: &RequestType, name: &str) -> MediaField {
        let limits = || request.limits.iter().copied().flatten();
        let is_set = |row: &&RequestField| {
            let mut limits = limits();
            let is_required = limits.any(|limits| limits.name == row.name && limits.required);
            matches!(row.kind, FieldKind::Media) && (row.name == name || is_required)
        };
        let body = serde_json::json!({ "prompt": "p" });
        let builder = request.deserialize(body).expect("a prompt");
        let builder = request
            .table
            .iter()
            .filter(is_set)
            .fold(builder, |builder, row| {
                let media = FieldValue::Media(vec!["https://h.example/a".into()]);
                builder.set(row.name, media).expect("a file")
            });
        let request = builder.build().expect("a valid request");
        let mut media = request.media().into_iter().map(|(field, _)| field);
        media
            .find(|field| field.to_string() == name)
            .expect("the file")
    }

    /// Each limit of each mode is in the help of the option itself. Another option may have the same number.
    #[test]
    fn the_help_of_an_option_has_the_limits_of_each_mode() {
        let limits_of = |field: &Field| {
            let least = field.minimum.map(|least| format!("{least} to "));
            [
                field
                    .max_length
                    .map(|most| format!("at most {most} characters")),
                field.max_items.map(|most| format!("at most {most}")),
                field.default.map(|default| format!("default: {default}")),
                least.or_else(|| field.maximum.map(|most| format!("at most {most}"))),
            ]
        };
        for option in options() {
            let arg = option.arg();
            let help = arg.get_help().expect("a help text").to_string();
            let firsts = option
                .types
                .iter()
                .map(|(request, routes)| (request.source, limits_of(routes[0])));
            let firsts: Vec<_> = firsts.collect();
            for (source, limits) in &firsts {
                for (index, limit) in limits.iter().enumerate() {
                    let Some(limit) = limit else { continue };
                    let is_common = firsts
                        .iter()
                        .all(|(_, others)| others[index].as_ref() == Some(limit));
                    let shown = match is_common {
                        true => format!("[{limit}"),
                        false => format!("{limit} from {source}"),
                    };
                    assert!(help.contains(&shown), "{}: {shown}: {help}", arg.get_id());
                }
            }
        }
    }

    #[test]
    fn an_option_that_a_request_has_no_field_for_is_refused() {
        for (name, value) in [
            (
                "video_url",
                FieldValue::Media(vec!["https://h.example/a.mp4".into()]),
            ),
            ("cfg_scale", FieldValue::Json(0.5.into())),
            (
                "elements",
                FieldValue::Media(vec!["https://h.example/a.png".into()]),
            ),
            ("no_such_field", FieldValue::Json(7.into())),
        ] {
            let fields = RequestFields(vec![GivenField {
                name,
                option: format!("--{name}"),
                is_prose: false,
                value,
            }]);
            let builder = RequestBuilder::TextToVideo(TextToVideo::builder());
            let error = fields.set_on(builder).unwrap_err();
            assert!(format!("{error:?}").contains(name), "{error:?}");
        }
    }
}
