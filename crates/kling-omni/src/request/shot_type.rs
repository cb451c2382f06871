//! Ways to make a video of several shots.

use crate::request::table::choice;

choice! {
    /// How a video of several shots is made. The service knows one way so far.
    #[derive(Default)]
    ShotType = "How a video of several shots is made." {
        /// `customize`: by the shots' own prompts; what the service takes when nothing is set.
        #[default]
        Customize,
    }
}
