//! How several shots are combined into a video.

use crate::request::table::choice;

choice! {
    /// How several shots are combined into a video. The service supports one way so far.
    #[derive(Default)]
    ShotType = "How several shots are combined into a video." {
        /// `customize`: by the prompts of the shots. The default of the service.
        #[default]
        Customize,
    }
}
