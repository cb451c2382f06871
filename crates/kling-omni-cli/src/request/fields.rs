//! The options for the fields of a request: one for each row of the tables that declare the request types.

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
use crate::input::{self, MAX_TEXT_SIZE};
use crate::media::{self, FILE_OR_URL};

/// The names and the help of an option that differ from those of its row. The help has no limits; they are added.
struct Wording {
    row: &'static str,
    long: &'static str,
    short: &'static [char],
    help: &'static str,
    /// The modes in which the field has another meaning, with that meaning.
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
    prompt: "prompt" 'p', "Description of the video, or - for standard input; refers to a reference video as @Video1, to other inputs as their options say";
    video_url: "video", "Reference video that guides motion and style: a local file, which is uploaded, or a public URL",
        MotionControl: "the video whose motion is transferred to the character";
    image_url: "image", "Start frame: a local file, which is uploaded, or a public URL",
        MotionControl: "the image of the character";
    duration: "duration" 'd', "Duration of the video, in seconds";
    aspect_ratio: "aspect-ratio" 'a', "Aspect ratio of the video; auto uses that of the input";
    cfg_scale: "cfg-scale", "How closely the video follows the prompt; higher is stricter";
    webhook_url: "webhook-url", "URL that receives a signed POST for each status change of the task";
    multi_prompt: "shot", "Description of one shot, instead of --prompt; repeat it for each shot; --duration is the total";
    start_image_url: "start-image", "Start frame, under the name that the API uses together with an end frame";
    end_image_url: "end-image", "End frame; needs --image";
    image_urls: "reference-image", "Image that guides style and appearance, @Image1 and so on in the prompt; may be repeated";
    elements: "element", "Character or object, @Element1 and so on in the prompt: its main image, then further images, separated by spaces; may be repeated, and counts together with --reference-image";
    generate_audio: "audio", "Generate sound, or no sound with --audio=false";
}

impl Wording {
    /// Returns the help, with the meanings in other modes.
    fn help(&self) -> String {
        let others = self.by_mode.iter().map(|(mode, other)| {
            let source = RequestType::for_mode(*mode).source;
            format!("; from {source}, {other}")
        });
        let others: String = others.collect();
        format!("{}{others}", self.help)
    }
}

/// The option for all rows of one name.
struct FieldOption {
    row: RequestField,
    long: String,
    short: Option<char>,
    help: String,
    /// The request types that have the field, and its limits on each of their routes.
    types: Vec<(&'static RequestType, Vec<&'static Field>)>,
}

/// Returns the options, in the order of the tables.
fn options() -> Vec<FieldOption> {
    let mut options: Vec<FieldOption> = Vec::new();
    let types = RequestType::ALL.iter();
    for (request, row) in types.flat_map(|one| one.table.iter().map(move |row| (one, row))) {
        // A choice with one value needs no option.
        if matches!(row.kind, FieldKind::Choice(names) if names().len() < 2) {
            continue;
        }
        let limits = request.limits.iter().copied().flatten();
        let limits = limits.filter(|limits| limits.name == row.name);
        let of_type = (request, limits.collect());
        let existing = options
            .iter_mut()
            .find(|option| option.row.name == row.name);
        match existing {
            Some(option) => option.types.push(of_type),
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
    /// Returns whether the value is prose, not a URL.
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

    /// Returns the value from the command line.
    fn value(&self, matches: &mut ArgMatches) -> Option<FieldValue> {
        let name = self.row.name;
        if matches.value_source(name) != Some(ValueSource::CommandLine) {
            return None;
        }
        Some(match self.row.kind {
            FieldKind::Media => FieldValue::Media(matches.remove_many(name)?.collect()),
            FieldKind::Element => FieldValue::Elements(matches.remove_many(name)?.collect()),
            FieldKind::Seconds => {
                // A string in the API.
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

/// The fields that were given as options, of any mode.
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
    /// Reads the text for `-` from standard input, and rejects texts that are mistakes: an option of this program, because
    /// the text is missing, or the name of a file after `@`.
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
                    Some(text) => refuse_mistake(&field.option, text)?,
                    None => {}
                }
            }
        }
        if let Some(value) = piped {
            *value = read_stdin()?.into();
        }
        Ok(())
    }

    /// Returns the names of the fields that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|field| field.name)
    }

    /// Sets the fields on a request, replacing existing values.
    ///
    /// # Errors
    ///
    /// Fails if the request does not have the field of an option.
    pub(super) fn set_on(self, builder: RequestBuilder) -> Result<RequestBuilder, Failure> {
        self.0.into_iter().try_fold(builder, |builder, field| {
            let set = builder.set(field.name, field.value);
            set.map_err(|problem| {
                Failure::usage(format!("{}: {} {problem}", field.option, field.name))
            })
        })
    }

    /// Returns the fields as JSON.
    ///
    /// # Errors
    ///
    /// Fails for a local file, which has no URL.
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
                    "{}: local files cannot be used with --unchecked",
                    field.option
                ))
                .with_help("remove --unchecked, or give a URL")
            })?;
            Ok((field.name.to_owned(), value))
        });
        fields.collect()
    }

    /// Returns the option for a field of the API.
    pub(super) fn option(field: &str) -> String {
        let options = options();
        let option = options.iter().find(|option| option.row.name == field);
        format!("--{}", option.map_or(field, |option| &option.long))
    }
}

/// Reads standard input, without the newline that a shell adds.
fn read_stdin() -> Result<String, Failure> {
    let mut text = input::read(Path::new("-"), MAX_TEXT_SIZE)?.text()?;
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.trim_end_matches('\r').len());
    }
    // If the program before the pipe failed, the text is empty, and no task must be paid for.
    if text.trim().is_empty() {
        return Err(Failure::usage("standard input is empty"));
    }
    Ok(text)
}

fn refuse_mistake(option: &str, text: &str) -> Result<(), Failure> {
    if let Some(other) = cli::find_option("generate", text) {
        return Err(Failure::usage(format!(
            "{option} has no text, it is followed by the option {other}"
        ))
        .with_help("add the text, or use - to read such a text from standard input"));
    }
    let file = text.strip_prefix('@').map(Path::new);
    match file.filter(|path| path.is_file()) {
        Some(path) => Err(Failure::usage(format!(
            "{option} takes text, but @{} names a file",
            input::name(path)
        ))
        .with_help("use - and redirect standard input from the file")),
        None => Ok(()),
    }
}

/// Parses the images of an element, separated by spaces: the main image first. Paths with spaces are not supported.
fn element(images: &str) -> Result<Element, String> {
    let mut images = images
        .split_whitespace()
        .map(|image| media::parse(image.into()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let frontal = images.next().ok_or("an element needs an image")?;
    Ok(images.fold(
        Element::new().frontal_image(frontal),
        Element::reference_image,
    ))
}

/// Parses a finite number, the only kind that JSON has.
fn finite(text: &str) -> Result<f64, String> {
    match f64::from_str(text) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{number} is not a finite number")),
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
    fn wordings_have_rows() {
        for Wording {
            row, long, by_mode, ..
        } in WORDINGS
        {
            assert!(
                options().iter().any(|option| option.row.name == *row),
                "--{long}: no request type has a row {row}; rename it in WORDINGS"
            );
            for (mode, _) in *by_mode {
                let table = RequestType::for_mode(*mode).table;
                assert!(
                    table.iter().any(|field| field.name == *row),
                    "--{long}: requests of the mode {mode} have no row {row}; remove the mode from WORDINGS"
                );
            }
        }
    }

    /// The help distinguishes rows of one name that are different images or videos.
    #[test]
    fn help_of_media_has_the_meaning_in_each_mode() {
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
                let has_meaning = wordings.any(|one| one.by_mode.iter().any(|(of, _)| of == mode));
                assert!(
                    *field == fields[0].1 || has_meaning,
                    "--{}: {mode}",
                    option.long
                );
            }
        }
    }

    /// Returns the meaning of the image or video of this name in a request type.
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

    /// The help of each option has each limit of each mode.
    #[test]
    fn help_has_the_limits_of_each_mode() {
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
    fn options_without_a_field_are_refused() {
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
