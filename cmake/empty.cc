// A target whose folder has no source yet.
