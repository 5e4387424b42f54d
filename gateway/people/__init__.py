"""People: the pages for residents and officers, put together over opened rooms."""
